"""One row of results: a measurement, its floor or baseline from the same run, and the target ratio."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A measured ratio.

    Attributes:
        what: the operation and its size.
        ours: our measurements, one per repetition.
        floor: the measurements of the floor or baseline in the same run.
        unit: the unit of both.
        at_most: the target ratio; None if there is none.
    """

    what: str
    ours: tuple[float, ...]
    floor: tuple[float, ...]
    unit: str
    at_most: float | None

    @property
    def ratio(self) -> float:
        """The median of ours divided by the median of the floor."""
        return median(self.ours) / median(self.floor)

    def line(self) -> str:
        """Return the row of a Markdown table."""
        aim = "" if self.at_most is None else f"{self.at_most:g}"
        ours, floor = (_figure(median(figures)) for figures in (self.ours, self.floor))
        return f"| {self.what} | {ours} {self.unit} | {floor} {self.unit} | {self.ratio:.2f} | {aim} |"


def _figure(value: float) -> str:
    return f"{value:,.{0 if value == int(value) else 2}f}"
