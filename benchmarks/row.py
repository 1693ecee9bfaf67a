"""One row of the table: a figure, the floor or baseline it is measured against in the same run, and what it may be."""

from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Row:
    """A measured ratio.

    Attributes:
        what: what was done, with its size.
        ours: our figures, one a repetition.
        floor: the floor's or baseline's, measured in the same run.
        unit: of both.
        at_most: the ratio aimed at; None where there is none.
    """

    what: str
    ours: tuple[float, ...]
    floor: tuple[float, ...]
    unit: str
    at_most: float | None

    @property
    def ratio(self) -> float:
        """Ours over the floor, medians."""
        return median(self.ours) / median(self.floor)

    def line(self) -> str:
        """Return the row of a Markdown table."""
        aim = "" if self.at_most is None else f"{self.at_most:g}"
        ours, floor = (_figure(median(figures)) for figures in (self.ours, self.floor))
        return f"| {self.what} | {ours} {self.unit} | {floor} {self.unit} | {self.ratio:.2f} | {aim} |"


def _figure(value: float) -> str:
    return f"{value:,.{0 if value == int(value) else 2}f}"
