"""Which of several clocks is believed."""

from datetime import UTC, datetime, timedelta

import pytest

from intercom_sync.domain.clocks import Clocks

_NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("machine", "database", "intercom", "present"),
    [
        (_NOW, _NOW - 59 * _SECOND, _NOW + 59 * _SECOND, _NOW),  # all agree: this machine's
        (_NOW + _DAY, _NOW, _NOW, _NOW),
        (_NOW, _NOW + _DAY, _NOW, _NOW),
        (_NOW + _DAY, _NOW + _DAY, _NOW, _NOW),  # one host for both
        (_NOW - _DAY, _NOW, _NOW, _NOW),  # alone behind
        (_NOW, _NOW - _DAY, _NOW, _NOW),
        (_NOW, _NOW, _NOW + _DAY, _NOW),  # the earliest
        (_NOW, _NOW, _NOW - _DAY, _NOW - _DAY),
        (_NOW + 61 * _SECOND, _NOW, None, _NOW),
        (_NOW + _SECOND, _NOW, None, _NOW + _SECOND),
        (_NOW - _DAY, _NOW, None, _NOW - _DAY),
        (_NOW + _DAY, _NOW + 2 * _DAY, _NOW, _NOW),
        (_NEVER, _NOW, None, _NOW),  # never set
        (_NEVER, _NEVER, _NOW, _NOW),
        (_NOW, _NOW, _NEVER, _NOW),
        (_NEVER, _NEVER, None, None),
        (_NOW, None, None, _NOW),
    ],
)
def test_the_present_is_what_agrees_with_intercom_else_the_earliest(
    machine: datetime, database: datetime | None, intercom: datetime | None, present: datetime | None
) -> None:
    assert Clocks(machine, database, intercom).present == present


def test_clocks_that_are_off_are_named() -> None:
    clocks = Clocks(_NOW + _DAY, _NOW - 2 * _SECOND, _NEVER)
    assert clocks.off(_NOW) == {"this machine": _DAY, "Intercom": _NEVER - _NOW}
    assert Clocks(_NOW, _NOW, None).off(_NOW) == {}


def test_the_earliest_leaves_out_a_clock_that_was_never_set() -> None:
    assert Clocks(_NEVER, _NOW + _DAY, _NOW).earliest == _NOW
    assert Clocks(_NEVER).earliest is None


@pytest.mark.parametrize(
    ("clocks", "past", "present"),
    [
        (Clocks(_NOW, _NOW, _NOW - _DAY), _NOW - _SECOND, _NOW - _SECOND),  # Intercom's alone is behind
        (Clocks(_NOW - _DAY, _NOW), _NOW - _SECOND, _NOW - _SECOND),
        (Clocks(_NOW - _DAY, _NOW, _NOW), _NOW - _SECOND, _NOW),
        (Clocks(_NOW, _NOW, _NOW), _NOW + 40 * _DAY, _NOW),  # all of them were ahead
        (Clocks(_NOW, _NOW + 40 * _DAY, _NOW), _NOW + 40 * _DAY, _NOW),
        (Clocks(_NEVER), _NOW, _NOW),
        (Clocks(_NEVER), None, None),
        (Clocks(_NOW), None, _NOW),
    ],
)
def test_the_present_is_not_before_what_was_past_unless_intercoms_clock_and_another_agree(
    clocks: Clocks, past: datetime | None, present: datetime | None
) -> None:
    assert clocks.present_after(past) == present
