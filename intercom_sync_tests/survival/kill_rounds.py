"""Kill rounds: edit, kill a sync, run it again, and compare the tables with those of an undisturbed sync."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from intercom_sync.sandbox.requests import Request
from intercom_sync_tests.survival.killed_process import (
    Aim,
    KilledSync,
    at_any_moment,
    command,
    in_a_step,
    in_the_air,
    steps,
    while_writing,
    with_marks,
)
from intercom_sync_tests.survival.reference_run import SchemaPair
from intercom_sync_tests.survival.state import BOOKS
from intercom_sync_tests.survival.steps import Order, sync

_READ = "SELECT {}s_read FROM sync_runs WHERE status = 'succeeded' ORDER BY as_of DESC, started_at DESC LIMIT 1"
Marked = dict[tuple[str, str], int]


class KillRounds:
    """Rounds of edits, a killed sync, its retry, and a comparison."""

    def __init__(self, both: SchemaPair, folder: Path, *, many: bool) -> None:
        self.both, self.chance = both, both.random_edits.chance
        self.log, self.home = folder / "killed.log", folder / "home"
        self.seconds: dict[str, float] = {}
        self.kills: Counter[str] = Counter()
        self.resumed = self.committed = self.too_late = self.twice = 0
        self.asked: list[Request] = []
        self._tries, self._many = 0, many

    def order(self, **how: Any) -> Order:
        self._tries += 1
        how = {"full": self.chance.random() < 0.3, "slack": self.both.slack.url, "per_page": 5} | how
        return self.both.order(f"run-{self._tries:03d}", **how)

    def measure(self, kind: str) -> float:
        """Measure the duration of an undisturbed sync, for the steps and for the command."""
        if kind not in self.seconds:
            order = self.order(full=True)
            killed_sync = (self._steps if kind == "steps" else self._command)(order)
            assert killed_sync.wait() == 0, self.log.read_text()[-3000:]
            self.seconds[kind] = time.monotonic() - killed_sync.began - killed_sync.steps.get("start", 0.0)
            self.both.deliver(order)
            self._is_like_the_clean_one(order, self.both.sync_clean(order), allowed=0)
            self.both.random_edits.edit_randomly(15)
        return self.seconds[kind]

    def _steps(self, order: Order) -> KilledSync:
        return steps(order, self.log)

    def _command(self, order: Order) -> KilledSync:
        return command(order, self.home, self.log)

    def round(self, *, real: bool) -> None:
        """Run one round and return whether the sync was killed before its end."""
        self.both.random_edits.edit_randomly(self.chance.choice([10, 15, 120]))
        aim, order = self._aim(real), self.order()
        before = self._connections()
        killed_sync = (self._command if real else self._steps)(order)
        aim.wait(killed_sync)
        dead = killed_sync.kill()
        # Postgres and Slack may still process requests of the killed sync.
        while self._connections() > before:
            time.sleep(0.01)
        self.both.slack.settle()
        self.kills[f"{'command' if real else 'steps'}: {aim.name}"] += dead
        self.too_late += not dead
        told, again = self._aftermath(order)
        marked, fetched = self._marked(), self._fetched()
        self.both.sandbox.requests.clear()
        told += self._second_try(again, real=real and self.chance.random() < 0.3)
        self._does_not_read_again(order, again, marked, fetched)
        self._is_like_the_clean_one(again, told, allowed=int(dead))

    def _aim(self, real: bool) -> Aim:
        state, chance = self.both.disturbed, self.chance
        seen = [with_marks(chance, state), while_writing(chance, state)]
        if real:
            # Measuring a whole command pays off only for many kills.
            return chance.choice([at_any_moment(chance, self.measure("command")), *seen] if self._many else seen)
        whole = at_any_moment(chance, self.measure("steps"), "start")
        aimed = [in_a_step(chance, step, 0.03) for step in ("revenue", "support", "customers", "alerts")]
        return chance.choice([whole, whole, whole, *seen, *aimed, in_the_air(chance, self.both.slack)])

    def _aftermath(self, order: Order) -> tuple[list[str], Order]:
        """Return the expected Slack messages of the killed sync, and the order of the retry."""
        written = self.both.disturbed.value("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'")
        clean = self.both.clean.value("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'")
        told: list[str] = []
        if written > clean:
            self.committed += 1
            told = self.both.sync_clean(order)
        if self.chance.random() < 0.5:
            self.both.random_edits.edit_without_deletions(5)
        return told, self.order(full=order.full)

    def _connections(self) -> int:
        counted = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return int(self.both.disturbed.value(counted))

    def _marked(self) -> Marked:
        """Return the records delivered by the checkpoints of extractions in progress, by extraction and kind."""
        delivered = (
            "SELECT extraction_id, kind, coalesce(sum((state->>'read')::int), 0) FROM sync_checkpoints GROUP BY 1, 2"
        )
        return {(reading, kind): int(many) for reading, kind, many in self.both.disturbed.query(delivered)}

    def _fetched(self) -> set[str]:
        """Return the conversations with fetched parts, with their versions."""
        here = "NOT parts_pending AND parts_fetched_version IS NOT NULL"
        found = self.both.disturbed.query(f"SELECT id || ' ' || updated_at FROM intercom_conversations WHERE {here}")
        return {one for (one,) in found}

    def _second_try(self, order: Order, *, real: bool) -> list[str]:
        if real:
            killed_sync = self._command(order)
            assert killed_sync.wait() == 0, self.log.read_text()[-3000:]
        else:
            sync(order)
        self.asked = list(self.both.sandbox.requests)
        self.both.deliver(order)
        return self.both.sync_clean(order)

    def _does_not_read_again(self, killed: Order, again: Order, marked: Marked, fetched: set[str]) -> None:
        """Assert that the retry does not fetch what has landed, except for changes since the start."""
        left = self._marked()
        taken = {kind: many for (reading, kind), many in marked.items() if (reading, kind) not in left}
        self.resumed += any(taken.values())
        for kind, many in taken.items():
            changed = self._changed_since(kind, killed.as_of - 3600) if again.full else 0
            read, whole = (state.value(_READ.format(kind)) for state in (self.both.disturbed, self.both.clean))
            assert read <= whole - many + changed, (killed, again, kind)
        assert not {one.split()[0] for one in fetched & self._fetched()} & self._gets()

    def _changed_since(self, kind: str, moment: int) -> int:
        counted = "(SELECT count(*) FROM {} WHERE updated_at >= to_timestamp(%s))"
        both = f"{counted.format(f'intercom_{kind}s')} + {counted.format('rejected_records')}"
        return int(self.both.clean.value(f"SELECT {both}", moment, moment))

    def _gets(self) -> set[str]:
        """Return the conversations whose parts the retry fetched."""
        return {one.path.rpartition("/")[2] for one in self.asked if one.method == "GET"}

    def _is_like_the_clean_one(self, order: Order, expected: list[str], *, allowed: int) -> None:
        assert self.both.differences() == {}, (order, self.both.differences())
        told, wanted = self.both.told(), Counter(expected)
        assert wanted - told == Counter(), order
        assert (told - wanted).total() <= allowed, order
        self.twice += (told - wanted).total()

    def is_over(self) -> None:
        """Assert that the state of dead runs is cleaned up."""
        self.both.disturbed.query("UPDATE sync_extractions SET started_at = started_at - interval '2 days'")
        order = self.order()
        expected = self._second_try(order, real=False)
        self._is_like_the_clean_one(order, expected, allowed=0)
        assert self.both.disturbed.books() == dict.fromkeys(BOOKS, 0)
