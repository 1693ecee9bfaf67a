"""Run syncs, apply the expected extraction to the oracle, and compare its tables with the real ones."""

from typing import Any, NamedTuple

from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync_tests.model.harness import OVERLAP, RIGHT, Attempt, Harness, Off, partition
from intercom_sync_tests.model.ledger import Movement
from intercom_sync_tests.model.oracle import Oracle
from intercom_sync_tests.model.store import Store
from intercom_sync_tests.model.valid_records import Json, usable
from intercom_sync_tests.model.words import DAY
from intercom_sync_tests.model.world import CONTACTS, CONVERSATIONS, World

FULL = "full"
_SLACK = int(OVERLAP.total_seconds())


class Before(NamedTuple):
    """The state before a sync: conversations with pending parts, and those rejected by older rules."""

    waiting: set[str]
    rejected: set[str]


class Syncs:
    """The syncs of one world, each applied to the oracle, and the time ranges that they cover."""

    def __init__(self, world: World, harness: Harness, store: Store) -> None:
        self.world, self.harness, self.store = world, harness, store
        self.oracle = Oracle()
        self.began: dict[object, int] = {}  # scope of an interrupted extraction: its start
        self.done: list[tuple[str, int, int]] = []  # mode, start and end of what successful syncs covered
        self.names: list[str] = []
        self.newest = 0  # the latest as-of of the customers

    def covered(self) -> int | None:
        """Return the watermark: the instant up to which every change was extracted."""
        fulls = [end for mode, _, end in self.done if mode == FULL]
        reached = max(fulls, default=None)
        for _, start, end in sorted(self.done):
            if reached is not None and start <= reached:
                reached = max(reached, end)
        return reached

    def window_of(self, asked: RunRequest) -> tuple[int, int] | None:
        """Return the window of a sync in UNIX seconds, without the overlap; None for all records."""
        open_end = int(partition(self.world.now).end.timestamp())
        if asked.full or self.covered() is None:
            return None  # the first sync is always full
        if asked.catch_up:
            return min(self.covered() or 0, open_end - 1), open_end
        assert asked.start
        assert asked.end
        return int(asked.start.timestamp()), int(asked.end.timestamp())

    def breaks_off(self, asked: RunRequest, stages: int, off: Off = RIGHT) -> None:
        """Run a sync that fails, and apply the records that it landed."""
        window, before = self.window_of(asked), self._before()
        attempt = self.harness.attempt(asked, stages=stages, off=off)
        self.began.setdefault(window or FULL, self.world.now)
        self._landed(attempt, before)

    def succeeds(self, asked: RunRequest, off: Off = RIGHT) -> None:
        """Run a sync that succeeds, and compare its tables.

        Without Intercom's Date header, fast clocks are trusted: the tables are those of their time, and the watermark
        does not advance.
        """
        now, window = self.world.now, self.window_of(asked)
        if asked.as_of:
            now = int(asked.as_of.timestamp())
        before = self._before()
        attempt = self.harness.attempt(asked, off=off)
        assert attempt.finished
        self.names.append(attempt.run.id)
        self._lose_words()
        if (window or FULL) in self.began:
            self._landed(attempt, before)
            self._is_lossless(window, self.began.pop(window or FULL), full=window is None)
        else:
            self._predicted(attempt, window, before)
        if off.dated:
            # The watermark is not after any clock, except one that was never set.
            behind = max((by for by in (off.machine, off.database) if -1_000 * DAY < by < 0), default=0)
            end = min(now, self.world.now + behind)
            self.done.append((FULL, 0, end) if window is None else ("window", window[0], min(window[1], end)))
            now = self.newest = max(self.newest, now)
        else:
            now += min(off.machine, off.database)
        expected = self.oracle.finish(now, attempt.met[CONTACTS])
        self._compare(attempt, expected)

    def _lose_words(self) -> None:
        """Remove messages that a sync with fast clocks deleted and Intercom no longer returns."""
        live, stored = self.world.live_talks(), self.store.authors()
        for name, said in self.oracle.said.items():
            if not isinstance(live.get(name, {}).get("contacts"), dict):
                self.oracle.said[name] = [(author, at) for author, at in said if (name, at) in stored]

    # Application to the oracle.

    def _before(self) -> Before:
        """Return the state before a sync."""
        return Before(self.store.waiting(self.world.now), self.store.judged_by_older_rules())

    def _predicted(self, attempt: Attempt, window: tuple[int, int] | None, before: Before) -> None:
        """Apply a new extraction; the rules determine the records it found."""
        live, waiting = self.world.live_talks(), self.store.waiting(self.world.now)
        self.oracle.meet_talks((live[one] for one in sorted(before.rejected & attempt.fetched)), live, waiting)
        self.oracle.fetch((before.waiting - waiting) | attempt.fetched, live)
        for kind in (CONTACTS, CONVERSATIONS):
            shown = self.world.shown(kind)
            met = {name for name, record in shown.items() if _lies_in(record, window)}
            timeless = {name for name, record in shown.items() if version_of(record) is None}
            named = {name for name in attempt.met[kind] if not name.startswith("sha256:")}
            nameless = {name for name in shown if name.startswith("nameless")}
            if window is None:
                assert named == (met | timeless) - nameless
                assert len(attempt.met[kind]) - len(named) == len(nameless)
            else:
                assert met - nameless <= named <= (met | timeless) - nameless
            found = [shown[name] for name in sorted(named | (nameless if window is None else set()))]
            if kind == CONTACTS:
                self.oracle.meet_contacts(found)
            else:
                self.oracle.meet_talks(found, live, waiting)
            if window is None and kind == CONTACTS:
                self._asked_for(attempt, set(shown))
            elif window is None:
                self.oracle.forget(kind, set(shown))
        self.oracle.written_under(self.store.authors(), self.world.ends_in)

    def _asked_for(self, attempt: Attempt, shown: set[str]) -> None:
        """Apply the fetches by id of contacts that a full scan missed; those that failed are kept."""
        missing = set(self.oracle.contacts) - shown
        assert set(attempt.asked) == missing, (attempt.asked, missing, set(self.store.landed()))
        gone = {name for name, status in attempt.asked.items() if status in (404, 410)}
        self.oracle.merged |= {name: self.world.ends_in(name, 3) for name in gone if name in self.world.merges}
        self.oracle.forget(CONTACTS, shown | (missing - gone))

    def _landed(self, attempt: Attempt, before: Before) -> None:
        """Apply an interrupted or resumed extraction; its progress is read from the tables."""
        oracle, live, waiting = self.oracle, self.world.live_talks(), self.store.waiting(self.world.now)
        oracle.fetch((before.waiting - waiting) | attempt.fetched, live)
        landed = self.store.landed()
        oracle.contacts.clear()
        oracle.meet_contacts(payload for _, payload in landed.values())
        talks, shown = self.store.landed_talks(), self.world.shown(CONVERSATIONS)
        for name in set(oracle.talks) - set(talks):
            del oracle.talks[name]
        met = attempt.met[CONVERSATIONS] | (before.rejected & attempt.fetched)
        fresh = [
            record
            for name, record in {**live, **shown}.items()
            if name in talks and name in met and _is_this(record, *talks[name])
        ]
        oracle.meet_talks(fresh, live, waiting)
        everything = self.world.shown(CONTACTS) | shown
        oracle.merged = self.store.merges()
        oracle.written_under(self.store.authors(), self.world.ends_in)
        oracle.refused = {(kind, name): version_of(everything.get(name)) for kind, name in self.store.refused()}

    def _is_lossless(self, window: tuple[int, int] | None, began: int, *, full: bool) -> None:
        """Assert that a resumed extraction also has the changes since it was started."""
        since = (began - _SLACK, window[1] if window else self.world.now + 1)
        for kind, good in ((CONTACTS, self.oracle.contacts), (CONVERSATIONS, self.oracle.talks)):
            for name, record in self.world.shown(kind).items():
                if _lies_in(record, None if full else window) and _lies_in(record, since):
                    self._is_known(kind, name, record, good)

    # Assertions.

    def everything_is_known(self) -> None:
        """Assert that every record in the search index has landed after a catch-up sync."""
        for kind, good in ((CONTACTS, self.oracle.contacts), (CONVERSATIONS, self.oracle.talks)):
            for name, record in self.world.shown(kind).items():
                version = version_of(record)
                if version is not None and version <= self.world.now and not name.startswith("nameless"):
                    self._is_known(kind, name, record, good)

    def _is_known(self, kind: str, name: str, record: Any, good: dict[str, Json]) -> None:
        known = max(good[name]["updated_at"] if name in good else 0, self.oracle.refused.get((kind, name)) or 0)
        assert known >= version_of(record), f"{kind} {name} was lost: {known} is older than {version_of(record)}"

    def _compare(self, attempt: Attempt, expected: dict[str, Any]) -> None:
        assert attempt.finished
        rows = self.store.customers()
        theirs = {"crm_owner": None, "crm_grade": 3}
        wanted = {key: theirs | row for key, row in self.oracle.rows.items()}
        assert rows == wanted, _differences(rows, wanted)
        made, due = sorted(self.store.alerts().get(attempt.run.id, [])), sorted(self.oracle.alerts[-1])
        assert made == due, (made, due)
        moved, due_movements = self.store.movements(attempt.run.id), sorted(self.oracle.moved[-1], key=_by_customer)
        assert moved == due_movements, (moved, due_movements)
        assert self.store.moved() == {key: mrr for key, mrr in self.oracle.ledger.counted.items() if mrr}
        refused = self.store.refused()
        named = {each for each in refused if not each[1].startswith("sha256:")}
        assert named == {each for each in self.oracle.refused if not each[1].startswith(("nameless", "sha256:"))}
        figures = attempt.finished.stats
        nameless = sum(name.startswith("sha256:") for name in attempt.met[CONTACTS])
        found = {name: getattr(figures, name) for name in expected}
        counted = {name for name in attempt.met[CONTACTS] if not name.startswith("sha256:")}
        assert found == expected, (found, expected, counted, nameless)


def _by_customer(movement: Movement) -> bytes:
    """As the database sorts emails; a transfer stays before its remainder."""
    return movement[0].encode()


def _lies_in(record: Any, window: tuple[int, int] | None) -> bool:
    version = version_of(record)
    return version is not None and (window is None or window[0] - _SLACK <= version < window[1])


def _is_this(record: Any, version: int, people: list[str]) -> bool:
    """Return whether a landed conversation has this version; a merge changes participants but no version."""
    listed = record.get("contacts")
    named = [one["id"] for one in listed["contacts"]] if isinstance(listed, dict) else people
    return version_of(record) == version and list(dict.fromkeys(named)) == people


def version_of(record: Any) -> int | None:
    return usable(record.get("updated_at")) if isinstance(record, dict) else None


def _differences(rows: dict[str, Json], wanted: dict[str, Json]) -> dict[str, Any]:
    return {
        key: {
            name: (rows.get(key, {}).get(name), wanted.get(key, {}).get(name))
            for name in {*rows.get(key, {}), *wanted.get(key, {})}
            if rows.get(key, {}).get(name) != wanted.get(key, {}).get(name)
        }
        for key in {*rows, *wanted}
        if rows.get(key) != wanted.get(key)
    }
