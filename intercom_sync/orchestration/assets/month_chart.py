"""Chart of MRR by month: a bar for the MRR at the end of the month, and below it the month's gains and losses."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import dagster as dg

from intercom_sync.orchestration.assets.charts import as_image, render_svg

MAX_MONTHS = 12
_WIDTH_PIXELS, _HEIGHT_PIXELS, _MONTH_PIXELS = 400, 150, 33
_MRR_BASELINE, _MOVEMENT_BASELINE = 90, 126
_MRR_PIXELS, _MOVEMENT_PIXELS = 70, 22


class Month(NamedTuple):
    """Describe one month of the chart.

    Attributes:
        label: the text of the month.
        mrr: MRR at the end of the month.
        gained: sum of the increases.
        lost: sum of the decreases, 0 or negative.
    """

    label: str
    mrr: float
    gained: float
    lost: float


def month_chart(title: str, months: Sequence[Month], amount: Callable[[float], str]) -> dg.MarkdownMetadataValue:
    """Return a chart of the newest months as metadata for the asset's page.

    Args:
        title: the alternative text of the image.
        months: the months in order; older ones than the last `MAX_MONTHS` are not drawn.
        amount: formats an amount.
    """
    return dg.MetadataValue.md(as_image(title, render_months(months[-MAX_MONTHS:], amount)))


def render_months(months: Sequence[Month], amount: Callable[[float], str]) -> str:
    """Return the chart as SVG with its own background; MRR and movements are scaled separately.

    Args:
        months: the months in order.
        amount: formats an amount.
    """
    if not months:
        return render_svg([])
    largest_mrr = max(one.mrr for one in months) or 1
    largest_movement = max(max(one.gained, -one.lost) for one in months) or 1
    mrr = _bars(_MRR_BASELINE, (-one.mrr / largest_mrr * _MRR_PIXELS for one in months))
    gains = _bars(_MOVEMENT_BASELINE, (-one.gained / largest_movement * _MOVEMENT_PIXELS for one in months))
    losses = _bars(_MOVEMENT_BASELINE, (-one.lost / largest_movement * _MOVEMENT_PIXELS for one in months))
    first, last = months[0], months[-1]
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH_PIXELS}' height='{_HEIGHT_PIXELS}' "
        f"font-family='Arial' font-size='12' stroke-width='25'>"
        f"<path fill='#fff' d='M0,0h{_WIDTH_PIXELS}v{_HEIGHT_PIXELS}H0z'/>"
        f"<path stroke='#bcf' d='{mrr}'/><path stroke='#6b6' d='{gains}'/><path stroke='#d66' d='{losses}'/>"
        f"<text x='4' y='12'>{first.label} {amount(first.mrr)}</text>"
        f"<text x='396' y='12' text-anchor='end'>{last.label} {amount(last.mrr)}</text></svg>"
    )


def _bars(baseline: int, heights: Iterable[float]) -> str:
    """Return an SVG path with one vertical stroke per month, without strokes of height 0."""
    return "".join(
        f"M{16 + _MONTH_PIXELS * number},{baseline}v{round(height)}"
        for number, height in enumerate(heights)
        if round(height)
    )
