"""The present: the instant that a sync takes for now when the clocks within its reach disagree.

Pure but for the machine's own clock. Reading the others is the caller's business.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Tells the time, with a zone."""

TOLERANCE = timedelta(minutes=1)
"""Clocks that differ by no more than this agree."""

MACHINE, DATABASE, INTERCOM = "this machine", "the database", "Intercom"
_PLAUSIBLE_SINCE = datetime(2024, 1, 1, tzinfo=UTC)
"""This program did not exist before: a clock that says so was never set."""


def machine_clock() -> datetime:
    """Return what this machine's clock says."""
    return datetime.now(UTC)


def describe_offset(by: timedelta) -> str:
    """Return by how much a clock is off, as a person reads it."""
    seconds = by.total_seconds()
    return f"{abs(seconds):,.0f} seconds {'ahead' if seconds > 0 else 'behind'}"


@dataclass(frozen=True)
class Clocks:
    """The clocks, read at one moment.

    Attributes:
        machine: this machine's.
        database: the database server's; None where it was not asked.
        intercom: that of Intercom's answers; None where they carry no usable `Date`.
    """

    machine: datetime
    database: datetime | None = None
    intercom: datetime | None = None

    @property
    def plausible(self) -> Mapping[str, datetime]:
        """The clocks that can be right, by name."""
        read = {MACHINE: self.machine, DATABASE: self.database, INTERCOM: self.intercom}
        return {name: at.astimezone(UTC) for name, at in read.items() if at is not None and at >= _PLAUSIBLE_SINCE}

    @property
    def earliest(self) -> datetime | None:
        """The earliest of them, by which nothing is deleted too soon; None where no clock can be right."""
        return min(self.plausible.values(), default=None)

    @property
    def agreed(self) -> datetime | None:
        """The time on which Intercom's clock and another one agree; None where none agrees with it.

        The machine's and the database's may be one and the same, so those two do not outvote Intercom's.
        """
        known = self.plausible
        intercom, others = known.get(INTERCOM), [at for name, at in known.items() if name != INTERCOM]
        return next((at for at in others if intercom and abs(at - intercom) <= TOLERANCE), None)

    @property
    def present(self) -> datetime | None:
        """The present; None where no clock can be right.

        Where they disagree it is the earliest, since an instant of the future does more harm than one of the past.
        A clock that alone is behind is the exception: Intercom's and another one that agree are right.
        """
        known = self.plausible
        if self.agreed or INTERCOM in known:
            return self.agreed or self.earliest
        # Without Intercom's, the machine's where the two agree.
        machine, earliest = known.get(MACHINE), self.earliest
        return machine if machine and earliest and machine - earliest <= TOLERANCE else earliest

    def present_after(self, past: datetime | None) -> datetime | None:
        """Return the present, not before an instant that was past for certain at an earlier sync.

        Two clocks that agree are right all the same: then all of them were ahead at that sync.
        """
        return self.agreed or max((at for at in (self.present, past) if at), default=None)

    def off(self, present: datetime) -> dict[str, timedelta]:
        """Return the clocks that are off from the present, and by how much; those ahead are above 0."""
        read = {MACHINE: self.machine, DATABASE: self.database, INTERCOM: self.intercom}
        differences = {name: at - present for name, at in read.items() if at is not None}
        return {name: by for name, by in differences.items() if abs(by) > TOLERANCE}
