"""Random edits of a workspace between syncs, and non-destructive ones between a killed sync and its retry.

Non-destructive edits only add and change. After a deletion or corruption between two attempts, the tables may
correctly differ from those of a sync without the first attempt.
"""

import random
from typing import Any

from intercom_sync_tests.model.words import BODIES, EMAILS
from intercom_sync_tests.model.world import START, World

_SPOILS: tuple[dict[str, Any], ...] = (
    {"email": "not an address"},
    {"custom_attributes": "text"},
    {"custom_attributes": {"Stripe Subscriptions": [{"status": "active", "plan": {"amount": None}}]}},
    {"last_seen_at": "yesterday"},
)
_WRITERS = ("user", "user", "lead", "admin")


class RandomEdits:
    """A world with random edits."""

    def __init__(self, seed: int, people: int) -> None:
        self.chance = random.Random(seed)
        self.world = World("America/St_Johns", 0)
        self._made = 0
        for _ in range(people):
            self._arrive()
        for _ in range(people // 4):
            self._write()
        self.world.now += 60

    def edit_randomly(self, edits: int) -> None:
        """Apply any edits, and advance the clock by hours."""
        rough = (self._spoil, self._archive, self._merge, self._delete_talk)
        gentle = (self._arrive, self._change, self._change, self._move, self._write, self._answer, self._rate)
        for _ in range(edits):
            self.world.now += self.chance.randrange(1, 30)
            self.chance.choice([*gentle, *gentle, *rough])()
        self.world.now += self.chance.choice([60, 3600, 6 * 3600, 9 * 3600])

    def edit_without_deletions(self, edits: int) -> None:
        """Add and change records, and advance the clock by minutes."""
        for _ in range(edits):
            self.world.now += self.chance.randrange(1, 30)
            self.chance.choice([self._arrive, self._change, self._move, self._write, self._answer])()
        self.world.now += 60

    def _person(self) -> str:
        return self.chance.choice(sorted(self.world.people))

    def _stripe(self) -> dict[str, Any]:
        amount = self.chance.choice([0, 900, 9_900, 49_900, 60_000, 120_000])
        charges = [{"amount": amount, "status": "succeeded", "created": START}]
        return {
            "stripe_id": f"cus_{self._made}",
            "stripe_delinquent": self.chance.random() < 0.3,
            "Stripe Subscriptions": [{"status": "active", "plan": {"amount": amount, "interval": "month"}}],
            "Stripe Payments": charges if self.chance.random() < 0.5 else [],
        }

    def _arrive(self) -> None:
        self._made += 1
        email = self.chance.choice([*EMAILS, None]) if self.chance.random() < 0.1 else f"p{self._made}@example.com"
        attributes = self._stripe() if self.chance.random() < 0.7 else {}
        self.world.add_contact({"email": email, "name": f"Person {self._made}", "custom_attributes": attributes})

    def _change(self) -> None:
        self.world.change_contact(
            self._person(), {"custom_attributes": self._stripe(), "last_seen_at": self.world.now - 5}
        )

    def _move(self) -> None:
        self._made += 1
        email = self.chance.choice([*EMAILS, f"p{self._made}@example.com"])
        self.world.change_contact(self._person(), {"email": email})

    def _spoil(self) -> None:
        spoilt = self.chance.choice(_SPOILS)
        self.world.change_contact(self._person(), {}, lambda record: record.update(spoilt))

    def _archive(self) -> None:
        if len(self.world.people) > 20:
            self.world.archive(self._person())

    def _merge(self) -> None:
        source, target = self._person(), self._person()
        if source != target:
            self.world.merge(source, target)

    def _write(self) -> None:
        people = list(dict.fromkeys([self._person(), self._person()][: self.chance.choice([1, 1, 2])]))
        body = self.chance.choice(list(BODIES))
        self.world.add_talk(people, self.chance.choice(_WRITERS), body, age=0, counted=self.chance.random() < 0.5)

    def _answer(self) -> None:
        if self.world.talks:
            talk = self.chance.choice(sorted(self.world.talks))
            self.world.reply(talk, self.chance.choice(_WRITERS), self.chance.choice(list(BODIES)), "comment")

    def _rate(self) -> None:
        if self.world.talks:
            talk = self.chance.choice(sorted(self.world.talks))
            self.world.rate(talk, self.chance.randrange(1, 6), named=self.chance.random() < 0.5)

    def _delete_talk(self) -> None:
        if len(self.world.talks) > 5:
            self.world.delete_talk(self.chance.choice(sorted(self.world.talks)))
