"""Rounds of a siege: people work, a sync is killed, and after its next try the tables are those of one nobody killed.

When a victim is killed is `victim`'s business; how often, the test's.
"""

import time
from collections import Counter
from pathlib import Path
from typing import Any

from intercom_sync.sandbox.requests import Request
from intercom_sync_tests.survival.killed_process import (
    Aim,
    Victim,
    at_any_moment,
    command,
    in_a_step,
    in_the_air,
    steps,
    while_writing,
    with_marks,
)
from intercom_sync_tests.survival.reference_run import Twins
from intercom_sync_tests.survival.state import BOOKS
from intercom_sync_tests.survival.steps import Order, sync

_READ = "SELECT {}s_read FROM sync_runs WHERE status = 'succeeded' ORDER BY as_of DESC, started_at DESC LIMIT 1"
Marked = dict[tuple[str, str], int]


class Siege:
    """Rounds of life, a sync that is killed, its next try, and the comparison."""

    def __init__(self, both: Twins, folder: Path, *, many: bool) -> None:
        self.both, self.chance = both, both.life.chance
        self.log, self.home = folder / "victims.log", folder / "home"
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
        """How long an undisturbed sync takes: of the steps from their beginning, of the command from its own."""
        if kind not in self.seconds:
            order = self.order(full=True)
            victim = (self._steps if kind == "steps" else self._command)(order)
            assert victim.wait() == 0, self.log.read_text()[-3000:]
            self.seconds[kind] = time.monotonic() - victim.began - victim.steps.get("start", 0.0)
            self.both.deliver(order)
            self._is_like_the_clean_one(order, self.both.sync_clean(order), allowed=0)
            self.both.life.goes_on(15)
        return self.seconds[kind]

    def _steps(self, order: Order) -> Victim:
        return steps(order, self.log)

    def _command(self, order: Order) -> Victim:
        return command(order, self.home, self.log)

    def round(self, *, real: bool) -> None:
        """Live, kill, try again, compare; a sync that ends before it is killed is no kill."""
        self.both.life.goes_on(self.chance.choice([10, 15, 120]))
        aim, order = self._aim(real), self.order()
        before = self._connections()
        victim = (self._command if real else self._steps)(order)
        aim.wait(victim)
        dead = victim.kill()
        # What the dead had asked for, Postgres and Slack may still do.
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
            # What a whole command takes is worth measuring only for many kills.
            return chance.choice([at_any_moment(chance, self.measure("command")), *seen] if self._many else seen)
        whole = at_any_moment(chance, self.measure("steps"), "start")
        aimed = [in_a_step(chance, step, 0.03) for step in ("revenue", "support", "customers", "alerts")]
        return chance.choice([whole, whole, whole, *seen, *aimed, in_the_air(chance, self.both.slack)])

    def _aftermath(self, order: Order) -> tuple[list[str], Order]:
        """What Slack has to hear of the killed sync, and the order of the next try, before which people may work."""
        written = self.both.disturbed.value("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'")
        clean = self.both.clean.value("SELECT count(*) FROM sync_runs WHERE status = 'succeeded'")
        told: list[str] = []
        if written > clean:
            self.committed += 1
            told = self.both.sync_clean(order)
        if self.chance.random() < 0.5:
            self.both.life.goes_on_gently(5)
        return told, self.order(full=order.full)

    def _connections(self) -> int:
        counted = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        return int(self.both.disturbed.value(counted))

    def _marked(self) -> Marked:
        """How many records the marks of each reading under way say were delivered, by reading and kind."""
        delivered = (
            "SELECT extraction_id, kind, coalesce(sum((state->>'read')::int), 0) FROM sync_checkpoints GROUP BY 1, 2"
        )
        return {(reading, kind): int(many) for reading, kind, many in self.both.disturbed.query(delivered)}

    def _fetched(self) -> set[str]:
        """The conversations whose parts are here, with their versions."""
        here = "NOT parts_pending AND parts_fetched_version IS NOT NULL"
        found = self.both.disturbed.query(f"SELECT id || ' ' || updated_at FROM intercom_conversations WHERE {here}")
        return {one for (one,) in found}

    def _second_try(self, order: Order, *, real: bool) -> list[str]:
        if real:
            victim = self._command(order)
            assert victim.wait() == 0, self.log.read_text()[-3000:]
        else:
            sync(order)
        self.asked = list(self.both.sandbox.requests)
        self.both.deliver(order)
        return self.both.sync_clean(order)

    def _does_not_read_again(self, killed: Order, again: Order, marked: Marked, fetched: set[str]) -> None:
        """What the killed try landed is not asked for again; what changed since it began is."""
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
        """The conversations whose parts the next try asked for."""
        return {one.path.rpartition("/")[2] for one in self.asked if one.method == "GET"}

    def _is_like_the_clean_one(self, order: Order, expected: list[str], *, allowed: int) -> None:
        assert self.both.differences() == {}, (order, self.both.differences())
        told, wanted = self.both.told(), Counter(expected)
        assert wanted - told == Counter(), order
        assert (told - wanted).total() <= allowed, order
        self.twice += (told - wanted).total()

    def is_over(self) -> None:
        """What dead runs left goes with time."""
        self.both.disturbed.query("UPDATE sync_extractions SET started_at = started_at - interval '2 days'")
        order = self.order()
        expected = self._second_try(order, real=False)
        self._is_like_the_clean_one(order, expected, allowed=0)
        assert self.both.disturbed.books() == dict.fromkeys(BOOKS, 0)
