"""Failures of Intercom, by the rows of the table in docs/operations.md, and the expected behaviour of a sync.

A sync retries through a temporary failure. A permanent failure ends the run, and the next sync recovers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from intercom_sync.sandbox import faults
from intercom_sync.sandbox.faults import Fault, Faults
from intercom_sync.sandbox.requests import Request

PAGE, TALK = "POST /contacts/search", "GET /conversations/507"
SHORT = {"timeouts": (5.0, 1.0), "max_response_bytes": 2**20}

REFUSED = "401, 402, 403, also in the middle of a sync"
THROTTLED = "429, one or a burst, with rate headers or without"
BROKEN_SERVER = "408, 500, 502, 503, 504, whatever the body"
BROKEN_CONNECTION = "a connection refused, reset, or broken off inside an answer"
BROKEN_ANSWER = "an answer that is empty, cut short, garbled, no JSON or of another shape"
SLOW = "no byte for 75 seconds, or an answer not whole after 150"
LARGE = "an answer of more than 32 MB, packed or unpacked"
CLOCK = "Intercom's clock is hours off"
PAGE_LOST = "a page stays refused"
CURSOR = "a cursor is refused in the middle of a read"
FALLS_SHORT = "a full read falls short of Intercom's own count"
PARTS_LOST = "one conversation's parts stay refused"


@dataclass(frozen=True)
class Failure:
    """One kind of failure.

    Attributes:
        row: the row of the table that documents it.
        fault: the injected fault.
        attempts: the maximum number of attempts of a request.
        page_attempts: the same for a page, whose size may be reduced; 0 if it is the same number.
        says: a part of the error message of the failed run.
        shrinks: whether each retry requests half as many records.
        options: client options that make the fault occur sooner.
    """

    row: str
    fault: Fault
    attempts: int = 4
    says: str = "gave no usable answer after 4 attempts"
    shrinks: bool = False
    page_attempts: int = 0
    options: dict[str, Any] = field(default_factory=dict)


_UNREACHABLE = "could not be reached"

PASSING_OR_LASTING = {
    "429 with rate headers": Failure(THROTTLED, faults.rate_limited(), 9, "after 9 attempts (status 429)"),
    "429 without headers": Failure(THROTTLED, faults.rate_limited(headers=False), 9, "after 9 attempts"),
    "429 with Retry-After": Failure(THROTTLED, faults.rate_limited(retry_after=30), 9, "after 9 attempts"),
    "500": Failure(BROKEN_SERVER, faults.server_error()),
    "502 with a page of HTML": Failure(BROKEN_SERVER, faults.bad_gateway()),
    "503": Failure(BROKEN_SERVER, faults.unavailable()),
    "504 without a body": Failure(BROKEN_SERVER, faults.status(504), shrinks=True),
    "408": Failure(BROKEN_SERVER, faults.error(408, "request_timeout", "too slow"), shrinks=True),
    "reset before an answer": Failure(BROKEN_CONNECTION, faults.reset(), says=_UNREACHABLE),
    "reset inside an answer": Failure(BROKEN_CONNECTION, faults.reset_inside_body(), says=_UNREACHABLE),
    "an empty 200": Failure(BROKEN_ANSWER, faults.empty_body()),
    "half of a JSON": Failure(BROKEN_ANSWER, faults.truncated_json()),
    "garbled": Failure(BROKEN_ANSWER, faults.garbled(), says=_UNREACHABLE),
    "200 in HTML": Failure(BROKEN_ANSWER, faults.status(200, "<html>")),
    "200 of another shape": Failure(BROKEN_ANSWER, faults.status(200, "[]")),
    "a URL for a cursor, or no parts": Failure(
        BROKEN_ANSWER,
        faults.edited(
            lambda one: one | {"pages": {"next": "https://api.intercom.io/?page=2"}, "conversation_parts": None}
        ),
    ),
    "no byte": Failure(SLOW, faults.stall(3), shrinks=True, options=SHORT),
    "a head without end": Failure(SLOW, faults.drip("head"), shrinks=True, options=SHORT),
    "a body without end": Failure(SLOW, faults.drip("body"), shrinks=True, options=SHORT),
    "two megabytes where one is the most": Failure(
        LARGE, faults.oversized(2), says="more than 1 MB", shrinks=True, page_attempts=8, options=SHORT
    ),
}
"""By name. Each is tested twice: as a temporary failure until the last attempt, and as a permanent one."""

LASTING = {
    **{
        f"{code} in the middle": Failure(
            REFUSED, faults.error(code, "unauthorized", "Access Token Invalid"), 1, "set INTERCOM_API_KEY"
        )
        for code in (401, 402, 403)
    },
    "a page that is refused": Failure(
        PAGE_LOST, faults.error(422, "parameter_invalid", "no"), 1, "refused the request: 422 parameter_invalid"
    ),
}
"""Failures that are not retryable, by name."""

OTHERS = {
    CURSOR: "test_a_cursor_refused_in_the_middle_of_a_read_costs_no_record",
    PARTS_LOST: "test_a_conversation_that_stays_refused_costs_only_its_own_parts_until_the_next_sync",
    FALLS_SHORT: "test_a_full_read_that_falls_short_marks_nobody_as_deleted",
    CLOCK: "test_a_clock_that_is_hours_off_does_no_harm",
}
"""Rows with a separate test."""

_OTHER_ROWS = {
    "end_to_end.test_rejected::test_the_last_good_version_stays_in_play_until_the_record_is_good_again": (
        "a record breaks a rule"
    ),
    "survival.postgres.test_away::test_a_server_that_is_gone_at_the_start_is_one_sentence": (
        "Postgres is gone at the start"
    ),
    "survival.postgres.test_restarts::test_a_restart_while_the_sync_writes_leaves_nothing_half_written": (
        "Postgres is stopped or restarted under a sync"
    ),
    "survival.postgres.test_busy::test_when_connections_run_out_under_way_nothing_is_half_written": (
        "Postgres has no connection left"
    ),
    "survival.postgres.test_busy::test_a_lock_that_another_program_keeps_is_one_sentence_that_names_the_table": (
        "a table is locked"
    ),
    "survival.postgres.test_busy::test_a_deadlock_with_another_program_is_a_sentence_and_nothing_is_half_written": (
        "a deadlock with another program"
    ),
    "survival.postgres.test_refusing::test_a_read_only_server_is_one_sentence": "Postgres is read-only, or a standby",
    "survival.postgres.test_refusing::test_a_server_older_than_15_is_one_sentence_that_says_so": (
        "Postgres is older than 15"
    ),
    "survival.postgres.test_full_disk::test_a_full_disk_is_a_sentence_and_nothing_is_half_written": (
        "Postgres has no disk space left"
    ),
    "survival.postgres.test_slow::test_a_slow_server_is_waited_for": "Postgres is slow",
    "survival.postgres.test_slow::test_a_server_that_takes_no_more_bytes_is_given_up": (
        "Postgres or the network is silent"
    ),
    "survival.test_kills::test_a_sync_killed_at_any_moment_is_put_right_by_the_next": "a run is killed",
    "survival.test_overtaken::test_a_run_that_another_overtook_ends_in_the_later_ones_tables": (
        "syncs run at once, or one ends after a later one"
    ),
    "end_to_end.test_missing::test_a_contact_that_the_scan_missed_stays_as_it_is_now_and_is_told": (
        "a full read leaves out a contact that is there"
    ),
    "end_to_end.test_missing::test_a_missing_contact_that_cannot_be_asked_for_stays_until_the_next_full_sync": (
        "a missing contact cannot be asked for, or the list of deleted conversations cannot be read"
    ),
    "end_to_end.test_clocks::test_the_first_sync_after_a_clock_was_ahead_heals_everything": (
        "a clock of the machine or the database is wrong"
    ),
    "end_to_end.test_run_config::test_an_as_of_ahead_of_the_clock_is_wrong_use_of_the_command_and_nothing_is_written": (
        "`--as-of` is later than now"
    ),
    "end_to_end.test_workspace::test_another_workspace_is_refused_by_a_sentence_that_names_both": (
        "the key is of another workspace"
    ),
    "commands.test_deployments::test_a_second_up_in_one_schema_is_refused": "a second `up` in the schema of another",
    "warehouse.schema.test_foreign_tables::test_a_table_of_another_program_is_refused_by_name": (
        "another program's table has one of our names"
    ),
    "survival.postgres.test_encodings::test_what_the_database_can_hold_is_right_and_the_rest_is_rejected": (
        "the database's encoding is not UTF8"
    ),
    "survival.postgres.test_published::test_where_no_index_will_do_a_sentence_says_what_to_do": (
        "a publication (change data capture) lacks what identifies a row"
    ),
    "slack.test_alert_delivery::test_a_slack_that_is_down_delays_alerts_and_loses_none": "Slack is away",
}
ELSEWHERE = {row: f"intercom_sync_tests.{test}" for test, row in _OTHER_ROWS.items()}
"""Rows of the table that other tests cover: `module::test`."""


def with_cursor(request: Request) -> bool:
    """Return whether a request is for a second or later page of contacts."""
    return request.path == "/contacts/search" and "starting_after" in request.json["pagination"]


def struck(trouble: Failure) -> Callable[[Faults], None]:
    """Return a function that makes all but the last attempt fail for one conversation and for the pages."""

    def plan(planned: Faults) -> None:
        for target in (TALK, PAGE):
            planned.add(trouble.fault, match=target, times=trouble.attempts - 1)

    return plan
