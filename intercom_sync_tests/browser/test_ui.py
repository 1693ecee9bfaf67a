"""What people see in the real Dagster UI after two syncs, in a headless Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from intercom_sync_tests.browser import looks
from intercom_sync_tests.browser.chromium import EXECUTABLE, Page, browser
from intercom_sync_tests.browser.stack import Stack, stack

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(EXECUTABLE is None, reason="Chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("ui")
        for name in ("DAGSTER_HOME", "INTERCOM_SYNC_DATABASE_URL", "DATABASE_URL", "SLACK_BOT_TOKEN"):
            patch.setenv(name, "")
        patch.chdir(folder)
        with stack(folder / "home", damaged=True) as running:
            yield running


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser(tmp_path / "profile") as tab:
        yield tab


def test_every_asset_is_materialized_and_shows_how_many_checks_passed(up: Stack, page: Page) -> None:
    text = looks.graph(page, up.url)
    assert text.count("Latest event") >= len(looks.ASSETS)
    assert "None" not in text
    assert "2 / 2 Passed" in text  # support_metrics
    assert "7 / 8 Passed" in text  # unified_customers, which has lost a row


def test_the_last_run_shows_its_log_entry_its_pictures_and_only_masked_emails(up: Stack, page: Page) -> None:
    text = looks.run(page, up.url)
    assert "***@" in text
    assert "- Alerts: " in text
    assert "Enterprise" in text


def test_the_customers_page_shows_columns_freshness_and_owner(up: Stack, page: Page) -> None:
    text = looks.overview(page, up.url)
    assert "Fails if more than 13 hours" in text
    assert "customer-data" in text


def test_the_success_metrics_are_plotted(up: Stack, page: Page) -> None:
    looks.plots(page, up.url)
    # Every plot has drawn something: a canvas without a point is one colour.
    drawn = (
        "[...document.querySelectorAll('canvas')].every(one => new Set(one.getContext('2d').getImageData(0, 0, "
        "one.width, one.height).data).size > 2)"
    )
    page.wait_until(drawn)


def test_a_failed_check_says_what_is_wrong(up: Stack, page: Page) -> None:
    said = "Customers deleted by another program since the previous sync: 1."
    text = looks.check(page, up.url, "unified_customers", "no_customer_lost", said)
    assert "Failed" in text.split("Evaluation result")[1]


def test_refused_records_are_counted_with_their_ids_and_masked_emails(up: Stack, page: Page) -> None:
    text = looks.check(page, up.url, "raw_contacts", "emails_valid", "email is not a valid address: 2")
    assert "Failed" in text.split("Evaluation result")[1]
    assert "***" in text.split("examples")[1]
    assert "not an address" not in text


def test_a_passed_check_says_what_it_compared(up: Stack, page: Page) -> None:
    text = looks.check(page, up.url, "raw_contacts", "record_count_reconciled", "Intercom counts", "are stored")
    assert "Passed" in text.split("Evaluation result")[1]


@pytest.mark.parametrize("name", ["slack_alerts", "incidents"])
def test_the_ticks_of_each_sensor_can_be_read(up: Stack, page: Page, name: str) -> None:
    text = looks.sensor(page, up.url, name)
    assert "Running" in text
    assert "~1 min" in text
