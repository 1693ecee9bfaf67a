"""The picture of MRR per month: a bar for what is paid, and below it what the month brought and took."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import dagster as dg

from intercom_sync.orchestration.assets.charts import as_image, render_svg

MOST_MONTHS = 12
_WIDTH, _STEP, _TOP, _ZERO, _BOTTOM = 400, 33, 90, 126, 150
_HEIGHT_MRR, _HEIGHT_MOVED = 70, 22


class Month(NamedTuple):
    """One month: its label, the MRR at its end, and the sums of what increased and decreased it."""

    label: str
    mrr: float
    gained: float
    lost: float


def month_chart(title: str, months: Sequence[Month], amount: Callable[[float], str]) -> dg.MarkdownMetadataValue:
    """Return a drawing of the newest months as metadata that shows on the asset's page."""
    return dg.MetadataValue.md(as_image(title, render_months(months[-MOST_MONTHS:], amount)))


def render_months(months: Sequence[Month], amount: Callable[[float], str]) -> str:
    """Return the drawing as SVG text, on a ground of its own; both parts have a scale of their own."""
    if not months:
        return render_svg([])
    largest = max(one.mrr for one in months) or 1
    moved = max(max(one.gained, -one.lost) for one in months) or 1
    paid = _strokes(_TOP, (-one.mrr / largest * _HEIGHT_MRR for one in months))
    up = _strokes(_ZERO, (-one.gained / moved * _HEIGHT_MOVED for one in months))
    down = _strokes(_ZERO, (-one.lost / moved * _HEIGHT_MOVED for one in months))
    first, last = months[0], months[-1]
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{_BOTTOM}' font-family='Arial' "
        f"font-size='12' stroke-width='25'><path fill='#fff' d='M0,0h{_WIDTH}v{_BOTTOM}H0z'/>"
        f"<path stroke='#bcf' d='{paid}'/><path stroke='#6b6' d='{up}'/><path stroke='#d66' d='{down}'/>"
        f"<text x='4' y='12'>{first.label} {amount(first.mrr)}</text>"
        f"<text x='396' y='12' text-anchor='end'>{last.label} {amount(last.mrr)}</text></svg>"
    )


def _strokes(base: int, heights: Iterable[float]) -> str:
    """Return vertical strokes from a base line, one per month; none for a height of 0."""
    return "".join(
        f"M{16 + _STEP * place},{base}v{round(height)}" for place, height in enumerate(heights) if round(height)
    )
