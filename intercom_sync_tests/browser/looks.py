"""Open pages of the UI and wait until each shows the expected content."""

from intercom_sync_tests.browser.chromium import Page

ASSETS = (
    "raw_contacts", "raw_conversations", "revenue_metrics", "support_metrics", "unified_customers", "mrr_movements",
)  # fmt: skip
NUMBERS = (
    "contacts_synced", "new_contacts", "updated_contacts", "skipped_contacts", "errors", "sync_duration_seconds",
    "avg_quality_score", "alerts_generated", "mrr_total_usd", "dagster/row_count",
)  # fmt: skip
_PICTURES = "[...document.querySelectorAll('img[src^=\"data:image/svg\"]')]"


def graph(page: Page, url: str) -> str:
    """Open the asset graph."""
    page.open(f"{url}/asset-groups")
    return page.wait_for(*ASSETS, "Asset checks", "Passed")


def run(page: Page, url: str) -> str:
    """Open the last materialization of the customers."""
    page.open(f"{url}/assets/unified_customers?view=events")
    page.wait_for("Intercom sync completed", "largest_customers", "mrr_by_plan")
    page.wait_until(f"{_PICTURES}.length >= 3 && {_PICTURES}.every(one => one.complete && one.naturalWidth > 100)")
    return page.text()


def overview(page: Page, url: str) -> str:
    """Open the overview of the customers: state, columns, freshness."""
    page.open(f"{url}/assets/unified_customers?view=overview")
    return page.wait_for(
        "Latest check results", "Freshness policy", "Row count", "pii: true", "Fails if more than 13 hours"
    )


def plots(page: Page, url: str) -> str:
    """Open the plots of the numbers by window."""
    overview(page, url)
    button = "[...document.querySelectorAll('button')].find(one => one.innerText.trim() === 'Plots')"
    page.wait_until(button)
    page.ask(f"{button}.click()")
    page.wait_for(*NUMBERS)
    page.wait_until(f"document.querySelectorAll('canvas').length >= {len(NUMBERS)}")
    page.ask("document.querySelector('canvas').scrollIntoView({block: 'center'})")
    return page.text()


def check(page: Page, url: str, asset: str, name: str, *words: str) -> str:
    """Open a check whose last result contains these texts."""
    page.open(f"{url}/assets/{asset}?view=checks&checkDetail={name}")
    return page.wait_for("Latest execution", "Evaluation result", *words)


def sensor(page: Page, url: str, name: str) -> str:
    """Open the ticks of a sensor after one has ended."""
    page.open(f"{url}/locations/intercom_sync.definitions/sensors/{name}")
    return page.wait_for(name, "Latest tick", "Evaluations", "0 runs requested")
