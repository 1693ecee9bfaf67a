"""Random companies, edits, clocks, crashes and syncs in any order: the tables are what the rules say of them.

README.md in this folder says how to run more examples.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from intercom_sync.intercom.client import IntercomClient
from intercom_sync.pipeline.errors import RunRefusedError
from intercom_sync.pipeline.run_plan import RunRequest
from intercom_sync.sandbox.faults import cursor_refused, error
from intercom_sync.sandbox.server import Sandbox
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync_tests.model.edits import Edit, contact_edits, edits, groups, mergers, some, talk_edits
from intercom_sync_tests.model.external_writers import Other, others
from intercom_sync_tests.model.fixtures import tables
from intercom_sync_tests.model.harness import Harness, Off, instant
from intercom_sync_tests.model.run import Syncs
from intercom_sync_tests.model.store import CONSTRAINTS, THEIRS, Store, refuses
from intercom_sync_tests.model.words import DAY, ZONES
from intercom_sync_tests.model.world import START, World

_ASKED = os.environ.get("INTERCOM_SYNC_MODEL_EXAMPLES")
# Several tests, so that several workers share the longest one.
_PARTS = 1 if _ASKED else 5
Trouble = tuple[str, int, bool]
moves = st.one_of(st.integers(0, 3 * 3600), st.sampled_from([60, 3600, 6 * 3600, DAY, 8 * DAY, 31 * DAY, 40 * DAY]))
scopes = st.sampled_from([RunRequest(full=True), RunRequest(catch_up=True), RunRequest(catch_up=True)])
windows = st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 1, 4, 60])).map(
    lambda pair: (pair[0] * 6 * 3600, (pair[0] + pair[1]) * 6 * 3600)
)
troubles = st.tuples(
    st.sampled_from(
        ["POST /contacts/search", "POST /conversations/search", "GET /conversations/*", "GET /contacts/*", "*"]
    ),
    st.integers(0, 6),
    st.booleans(),
)


wrong_clocks = st.sampled_from(
    [
        Off(machine=40 * DAY), Off(machine=-DAY), Off(machine=-20_000 * DAY), Off(machine=61),
        Off(database=40 * DAY), Off(database=-DAY), Off(machine=40 * DAY, database=40 * DAY),
    ]
)  # fmt: skip


def other_client(sandbox: Sandbox) -> IntercomClient:
    return IntercomClient("tok_other", base_url=sandbox.url)


class Company(RuleBasedStateMachine):
    """A workspace, its edits, and syncs that succeed or break off."""

    connect: Callable[[], Session]
    store: Store

    @initialize(
        zone=st.sampled_from(ZONES),
        version=st.sampled_from(["2.16", "2.17"]),
        delay=st.sampled_from([0, 0, 240, 3000]),
        per_page=st.sampled_from([2, 5, 150]), bucket=st.sampled_from([2, 50_000]),
        people=some(contact_edits, 6), talks=some(talk_edits, 4),
    )  # fmt: skip
    def begin(
        self, zone: str, version: str, delay: int, per_page: int, bucket: int, people: list[Edit], talks: list[Edit]
    ) -> None:
        self.store.empty()
        self.world = World(zone, delay)
        self.sandbox = Sandbox(self.world.company, clock=lambda: self.world.now).__enter__()
        self.harness = Harness(self.world, self.sandbox, type(self).connect, version, per_page, bucket)
        self.syncs = Syncs(self.world, self.harness, self.store)
        self.syncs.oracle.refuses = refuses
        self._live([*people, *talks], 3600)

    def _live(self, changes: list[Edit], seconds: int) -> None:
        """People work for a while."""
        for change in changes:
            change(self.world)
        self.world.now += seconds

    def teardown(self) -> None:
        if hasattr(self, "harness"):
            self.harness.close()
            self.sandbox.__exit__(None, None, None)

    @rule(other=others)
    def another_system_writes(self, other: Other) -> None:
        other(self.store, self.syncs.oracle)

    @rule()
    def the_rules_are_upgraded(self) -> None:
        """What is stored comes from an older version: the next sync computes it again."""
        self.store.upgrade()

    @rule(changes=edits, seconds=moves)
    def people_work(self, changes: list[Edit], seconds: int) -> None:
        self._live(changes, seconds)

    @rule(changes=edits, seconds=moves, asked=scopes)
    def everything_syncs(self, changes: list[Edit], seconds: int, asked: RunRequest) -> None:
        self._live(changes, seconds)
        self.syncs.succeeds(asked)
        self.syncs.everything_is_known()

    @rule(changes=st.lists(groups, min_size=1, max_size=2), merged=st.lists(mergers, min_size=1, max_size=3))
    def speakers_of_a_group_are_merged(self, changes: list[Edit], merged: list[Edit]) -> None:
        """Before the full sync that finds it, and after its words were read."""
        self.everything_syncs(changes, self.world.delay + 1, RunRequest(catch_up=True))
        self.everything_syncs(merged, 60, RunRequest(full=True))

    @rule(asked=scopes)
    def everything_syncs_again(self, asked: RunRequest) -> None:
        self.everything_syncs([], 0, asked)

    @rule(changes=edits, seconds=moves, window=windows, newest=st.booleans())
    def a_window_syncs(self, changes: list[Edit], seconds: int, window: tuple[int, int], newest: bool) -> None:
        self._live(changes, seconds)
        self.syncs.succeeds(self._window(window, newest))

    @rule(changes=edits, seconds=moves, asked=scopes, stages=st.integers(1, 3))
    def a_sync_dies_between_its_stages(self, changes: list[Edit], seconds: int, asked: RunRequest, stages: int) -> None:
        self._live(changes, seconds)
        self.syncs.breaks_off(asked, stages)

    @rule(changes=edits, seconds=moves, asked=st.one_of(scopes, st.none()), window=windows, trouble=troubles)
    def a_sync_is_refused(
        self, changes: list[Edit], seconds: int, asked: RunRequest | None, window: tuple[int, int], trouble: Trouble
    ) -> None:
        self._live(changes, seconds)
        match, after, forbidden = trouble
        fault = error(403, "forbidden", "The token lacks a right") if forbidden else cursor_refused()
        self.sandbox.faults.add(fault, match=match, after=after)
        try:
            self.syncs.breaks_off(asked or self._window(window, True), 0)
        finally:
            self.sandbox.faults.clear()

    @rule(changes=edits, seconds=moves, asked=scopes, residue=st.integers(0, 1))
    def a_sync_goes_without_some_parts(
        self, changes: list[Edit], seconds: int, asked: RunRequest, residue: int
    ) -> None:
        self._live(changes, seconds)
        self.sandbox.faults.add(
            cursor_refused(), match=lambda request: request.method == "GET" and ord(request.path[-1]) % 2 == residue
        )
        try:
            self.syncs.succeeds(asked)
            self.syncs.everything_is_known()
        finally:
            self.sandbox.faults.clear()

    @rule(changes=edits, seconds=moves, asked=scopes, off=wrong_clocks)
    def a_clock_is_wrong(self, changes: list[Edit], seconds: int, asked: RunRequest, off: Off) -> None:
        """Intercom's answers say what time it is, so nothing comes of it."""
        self._live(changes, seconds)
        self.syncs.succeeds(asked, off)
        self.syncs.everything_is_known()

    @rule(changes=edits, asked=scopes, ahead=st.sampled_from([2 * DAY, 29 * DAY, 40 * DAY]), later=edits, then=scopes)
    def every_clock_is_ahead_and_returns(
        self, changes: list[Edit], asked: RunRequest, ahead: int, later: list[Edit], then: RunRequest
    ) -> None:
        """And Intercom's answers do not say what time it is; the next sync makes all of it good."""
        self._live(changes, 60)
        self.syncs.succeeds(asked, Off(ahead, ahead, dated=False))
        self._live(later, 3600)
        self.syncs.succeeds(then)
        self.syncs.everything_is_known()

    @rule(changes=edits, seconds=moves, full=st.booleans(), back=st.sampled_from([1, 3600, DAY, 31 * DAY, 90 * DAY]))
    def a_sync_is_for_an_instant_of_the_past(self, changes: list[Edit], seconds: int, full: bool, back: int) -> None:
        self._live(changes, seconds)
        self.syncs.succeeds(RunRequest(full=full, catch_up=not full, as_of=instant(self.world.now - back)))

    @rule(ahead=st.sampled_from([61, 3600, 40 * DAY]), foreign=st.booleans(), asked=scopes)
    def a_sync_is_refused_before_it_begins(self, ahead: int, foreign: bool, asked: RunRequest) -> None:
        """For an instant that is not past, or a key of another workspace."""
        before = self.store.dump()
        if foreign and self.store.landed():
            with Sandbox(World("UTC", 0, workspace="elsewhere").company) as other, other_client(other) as client:
                self._refused(client, asked)
        else:
            self._refused(self.harness.client, replace(asked, as_of=instant(self.world.now + ahead)))
        assert self.store.dump() == before

    def _refused(self, client: IntercomClient, asked: RunRequest) -> None:
        with self.harness.connect() as session, pytest.raises(RunRefusedError):
            self.harness.start(session, client, "refused", asked)

    def _window(self, window: tuple[int, int], newest: bool) -> RunRequest:
        start, end = window
        if newest:
            last = self.world.now - self.world.now % (6 * 3600) + 6 * 3600
            return RunRequest(start=instant(last - (end - start)), end=instant(last))
        return RunRequest(start=instant(START + start), end=instant(START + end))


@pytest.fixture
def machine(connect: Callable[[], Session], database_url: str, schema: str) -> Iterator[type[Company]]:
    with tables(database_url, schema, f"{THEIRS}, {CONSTRAINTS}") as (pool, store):
        yield type("Workspace", (Company,), {"connect": staticmethod(pool.connect), "store": store})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Generating overly large repr")
@pytest.mark.timeout(0 if _ASKED else 600)
@pytest.mark.parametrize("part", range(_PARTS))
def test_after_any_edits_and_syncs_the_tables_are_what_the_rules_say(machine: type[Company], part: int) -> None:
    run_state_machine_as_test(
        machine if _ASKED else seed(part)(machine),
        settings=settings(
            max_examples=int(_ASKED or 50) // _PARTS, stateful_step_count=12, database=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink],
        ),
    )  # fmt: skip
