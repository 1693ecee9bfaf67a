"""Small pictures for an asset's page: rows of bars as SVG, embedded in markdown.

What is drawn is decided in `report`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import dagster as dg

from intercom_sync.domain.sync_summary import sanitize_for_display

# The UI shows markdown in place where it is shorter than 1,000 characters, and behind a link otherwise.
_MAX_CHARACTERS = 999
_WIDTH, _ROW = 400, 22
_MAX_LABEL = 24
_SAFE = "/:=',;@!*$&+-."


@dataclass(frozen=True)
class Bar:
    """One row: its label, its length in any unit, and what stands behind the label."""

    label: str
    value: float
    text: str


def chart(title: str, bars: Sequence[Bar]) -> dg.MarkdownMetadataValue:
    """Return a drawing as metadata that shows on the asset's page; labels are cut as far as it takes."""
    for longest in range(_MAX_LABEL, 0, -1):
        shown = f"![{title}](data:image/svg+xml,{quote(render_svg(bars, longest), safe=_SAFE)})"
        if len(shown) <= _MAX_CHARACTERS:
            break
    return dg.MetadataValue.md(shown)


def render_svg(bars: Sequence[Bar], longest: int = _MAX_LABEL) -> str:
    """Return bars as SVG text, on a ground of its own so that it can be read on light and dark pages."""
    bars = bars or [Bar("Nothing yet", 0, "")]
    height = _ROW * len(bars)
    most = max((bar.value for bar in bars), default=0) or 1
    lengths = [round(max(0, bar.value) / most * _WIDTH) for bar in bars]
    paths = "".join(f"M0,{_ROW * at + 2}h{length}v18H0z" for at, length in enumerate(lengths) if length)
    texts = "".join(f"<text y='{_ROW * at + 16}'>{_told(bar, longest)}</text>" for at, bar in enumerate(bars))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}' font-family='Arial' "
        f"font-size='13'><path fill='#fff' d='M0,0h{_WIDTH}v{height}H0z'/><path fill='#bcf' d='{paths}'/>"
        f"<g transform='translate(6)'>{texts}</g></svg>"
    )


def _told(bar: Bar, longest: int) -> str:
    label = sanitize_for_display(bar.label)
    label = label if len(label) <= longest else f"{label[: longest - 1]}~"
    return f"{label} {bar.text}".replace("&", "+").replace("<", "(").replace(">", ")")
