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
    def present(self) -> datetime | None:
        """The present; None where no clock can be right.

        Where they disagree it is the earliest, since an instant of the future does more harm than one of the past.
        A clock that alone is behind is the exception: Intercom's and another one that agree are right. The machine's
        and the database's may be one and the same, so those two do not outvote Intercom's.
        """
        known = self.plausible
        intercom, others = known.get(INTERCOM), [at for name, at in known.items() if name != INTERCOM]
        if intercom is not None:
            for at in others:
                if abs(at - intercom) <= TOLERANCE:
                    return at
        elif len(others) == 2 and abs(others[0] - others[1]) <= TOLERANCE:
            return others[0]
        return self.earliest

    def off(self, present: datetime) -> dict[str, timedelta]:
        """Return the clocks that are off from the present, and by how much; those ahead are above 0."""
        read = {MACHINE: self.machine, DATABASE: self.database, INTERCOM: self.intercom}
        differences = {name: at - present for name, at in read.items() if at is not None}
        return {name: by for name, by in differences.items() if abs(by) > TOLERANCE}
