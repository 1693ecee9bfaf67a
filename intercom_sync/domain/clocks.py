"""Clocks (R10.1): choose the present when the clocks of the machine, the database and Intercom disagree."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the current time, with a time zone."""

TOLERANCE = timedelta(minutes=1)
"""Maximum difference of clocks that agree."""

MACHINE, DATABASE, INTERCOM = "this machine", "the database", "Intercom"
_PLAUSIBLE_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
"""A clock before this date was never set: the program is younger."""


def machine_clock() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


def describe_offset(offset: timedelta) -> str:
    """Format a clock's offset, as in "90 seconds ahead"."""
    seconds = offset.total_seconds()
    return f"{abs(seconds):,.0f} seconds {'ahead' if seconds > 0 else 'behind'}"


@dataclass(frozen=True)
class Clocks:
    """Hold a snapshot of the clocks.

    Attributes:
        machine: this machine's clock.
        database: the database server's clock; None when it was not read.
        intercom: the `Date` header of Intercom's answers; None when it is absent or invalid.
    """

    machine: datetime
    database: datetime | None = None
    intercom: datetime | None = None

    @property
    def plausible(self) -> Mapping[str, datetime]:
        """Return the clocks that can be right, by name."""
        read = {MACHINE: self.machine, DATABASE: self.database, INTERCOM: self.intercom}
        return {name: at.astimezone(UTC) for name, at in read.items() if at is not None and at >= _PLAUSIBLE_SINCE}

    @property
    def earliest(self) -> datetime | None:
        """Return the earliest plausible clock, the safe bound for retention deletes; None when there is none."""
        return min(self.plausible.values(), default=None)

    @property
    def agreed(self) -> datetime | None:
        """Return the time that another clock confirms for Intercom's; None when no clock agrees with it.

        The machine and the database may share one clock, so those two do not outvote Intercom's.
        """
        plausible = self.plausible
        intercom, others = plausible.get(INTERCOM), [at for name, at in plausible.items() if name != INTERCOM]
        return next((at for at in others if intercom and abs(at - intercom) <= TOLERANCE), None)

    @property
    def present(self) -> datetime | None:
        """Return the present; None when no clock is plausible.

        When the clocks disagree, the earliest one counts, because a time in the future does more harm than one in the
        past. Exception: when Intercom's clock and another one agree, a third clock that is behind is ignored.
        """
        plausible = self.plausible
        if self.agreed or INTERCOM in plausible:
            return self.agreed or self.earliest
        # Without Intercom's clock: the machine's when it agrees with the database's.
        machine, earliest = plausible.get(MACHINE), self.earliest
        return machine if machine and earliest and machine - earliest <= TOLERANCE else earliest

    def present_after(self, past: datetime | None) -> datetime | None:
        """Return the present, but no earlier than `past`, an instant that had certainly passed at an earlier sync.

        Two clocks that agree take precedence: then all clocks were ahead at that sync.
        """
        return self.agreed or max((at for at in (self.present, past) if at), default=None)

    def off(self, present: datetime) -> dict[str, timedelta]:
        """Return the clocks that differ from the present by more than the tolerance; positive means ahead."""
        read = {MACHINE: self.machine, DATABASE: self.database, INTERCOM: self.intercom}
        differences = {name: at - present for name, at in read.items() if at is not None}
        return {name: offset for name, offset in differences.items() if abs(offset) > TOLERANCE}
