"""What the UI shows of the assets: lineage that fits the catalogue, pictures that show in place, numbers that plot."""

import xml.etree.ElementTree as ET
from urllib.parse import unquote

import pytest

from intercom_sync.definitions import defs
from intercom_sync.domain.schema.lineage import LINEAGE
from intercom_sync.domain.schema.tables import (
    MRR_MOVEMENTS,
    REVENUE_METRICS,
    SUPPORT_METRICS,
    TABLES,
    UNIFIED_CUSTOMERS,
)
from intercom_sync.orchestration.assets.charts import Bar, chart, render_svg
from intercom_sync.orchestration.assets.month_chart import Month, month_chart, render_months
from intercom_sync.orchestration.assets.run_metadata import column_lineage, numeric_metadata

INLINE = 1000  # the UI hides markdown of this length and more behind a link
COMPUTED = (REVENUE_METRICS, SUPPORT_METRICS, UNIFIED_CUSTOMERS, MRR_MOVEMENTS)
BOOKKEEPING = {"rules_hash", "last_intercom_sync", "movement_id", "observed_at", "run_id", "first_movement_id"}


@pytest.mark.parametrize("table", COMPUTED, ids=lambda table: table.name)
def test_every_computed_column_says_what_it_is_made_of(table) -> None:
    assert set(LINEAGE[table.name]) == set(table.names) - BOOKKEEPING


def test_lineage_names_only_columns_that_exist() -> None:
    for sources in LINEAGE.values():
        for table, column in (source for made in sources.values() for source in made):
            assert table in TABLES
            assert column in table.names


def test_lineage_points_at_assets_that_exist() -> None:
    keys = {spec.key for spec in defs().resolve_all_asset_specs()}
    for table in COMPUTED:
        for deps in column_lineage(table)["dagster/column_lineage"].deps_by_column.values():
            assert {dep.asset_key for dep in deps} <= keys


def test_every_asset_has_what_the_catalog_shows() -> None:
    for spec in defs().resolve_all_asset_specs():
        if spec.key.to_user_string() == "customer_alerts":
            continue
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.freshness_policy, spec.key
        assert all(column.description for column in spec.metadata["dagster/column_schema"].columns)


@pytest.mark.parametrize(
    "bars",
    [
        [],
        [Bar("Enterprise annual, negotiated in 2024", 10.0**9, "$1,000,000,000 (+123,456,789)")] * 7,
        [Bar("日本語のプラン名前です長い名前", 1, "$1")] * 7,
        [Bar("<b>&\"'", 5, "$5 & more")],
        [Bar(f"{tens}0-{tens}9", 10**6, "1,000,000") for tens in range(10)],
        [Bar("refunded", -5, "$-5"), Bar("nothing", 0, "$0")],
    ],
    ids=["nothing", "long", "foreign", "markup", "scores", "negative"],
)
def test_a_picture_is_sound_svg_and_short_enough_to_show_in_place(bars: list[Bar]) -> None:
    shown = chart("A title", bars).md_str
    assert shown is not None
    assert len(shown) < INLINE
    link = shown.removeprefix("![A title](data:image/svg+xml,").removesuffix(")")
    assert not set(link) & set(' ()<>"#\n')
    assert ET.fromstring(unquote(link)).tag.endswith("svg")  # noqa: S314  (our own)


def test_the_longest_bar_is_the_largest_value() -> None:
    assert "M0,2h400v18H0zM0,24h200v18H0z" in render_svg([Bar("a", 10, ""), Bar("b", 5, "")])


def test_unknown_numbers_are_left_out_rather_than_plotted_as_nothing() -> None:
    assert set(numeric_metadata({"a": 1, "b": None, "c": 0.0})) == {"a", "c"}


def test_twelve_months_are_drawn_and_show_in_place() -> None:
    months = [Month(f"2026-{number:02}", 1_000_000 - number, 90_000 + number, -80_000) for number in range(1, 14)]
    shown = month_chart("MRR by month; below it, gains and losses", months, lambda amount: f"${amount:,.0f}").value
    assert len(shown) < INLINE
    drawing = unquote(shown.partition("svg+xml,")[2].removesuffix(")"))
    paths = ET.fromstring(drawing).findall("{*}path")  # noqa: S314  (our own)
    paid, gained, lost = (path.get("d") or "" for path in paths[1:])
    assert paid.count("M") == gained.count("M") == lost.count("M") == 12
    assert "2026-02 $999,998" in drawing
    assert ET.fromstring(render_months([], str)) is not None  # noqa: S314
    assert ET.fromstring(render_months([Month("2026-01", 0, 0, 0)], str)) is not None  # noqa: S314
