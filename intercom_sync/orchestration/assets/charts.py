"""Bar charts for asset pages: SVG images embedded in markdown metadata."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import dagster as dg

from intercom_sync.domain.sync_summary import sanitize_for_display

# The UI shows markdown inline below 1,000 characters, and behind a link otherwise.
_MAX_CHARACTERS = 999
_WIDTH_PIXELS, _ROW_PIXELS = 400, 22
_MAX_LABEL_CHARACTERS = 24
_SAFE = "/:=',;@!*$&+-."


@dataclass(frozen=True)
class Bar:
    """One bar: its label, its value in any unit, and the text after the label."""

    label: str
    value: float
    text: str


def chart(title: str, bars: Sequence[Bar]) -> dg.MarkdownMetadataValue:
    """Return a chart as metadata; labels are truncated until it fits inline on the asset page."""
    for longest in range(_MAX_LABEL_CHARACTERS, 0, -1):
        markdown = as_image(title, render_svg(bars, longest))
        if len(markdown) <= _MAX_CHARACTERS:
            break
    return dg.MetadataValue.md(markdown)


def as_image(title: str, svg: str) -> str:
    """Return SVG as an image in Markdown."""
    return f"![{title}](data:image/svg+xml,{quote(svg, safe=_SAFE)})"


def render_svg(bars: Sequence[Bar], longest: int = _MAX_LABEL_CHARACTERS) -> str:
    """Return bars as SVG with its own background, so that it is readable on light and dark pages."""
    bars = bars or [Bar("Nothing yet", 0, "")]
    height = _ROW_PIXELS * len(bars)
    largest = max((bar.value for bar in bars), default=0) or 1
    lengths = [round(max(0, bar.value) / largest * _WIDTH_PIXELS) for bar in bars]
    paths = "".join(f"M0,{_ROW_PIXELS * at + 2}h{length}v18H0z" for at, length in enumerate(lengths) if length)
    texts = "".join(
        f"<text y='{_ROW_PIXELS * at + 16}'>{_bar_text(bar, longest)}</text>" for at, bar in enumerate(bars)
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH_PIXELS}' height='{height}' font-family='Arial' "
        f"font-size='13'><path fill='#fff' d='M0,0h{_WIDTH_PIXELS}v{height}H0z'/><path fill='#bcf' d='{paths}'/>"
        f"<g transform='translate(6)'>{texts}</g></svg>"
    )


def _bar_text(bar: Bar, longest: int) -> str:
    label = sanitize_for_display(bar.label)
    label = label if len(label) <= longest else f"{label[: longest - 1]}~"
    return f"{label} {bar.text}".replace("&", "+").replace("<", "(").replace(">", ")")
