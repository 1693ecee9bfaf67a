"""`python -m intercom_sync_tests.browser.screenshots FOLDER`: screenshots of the UI after two syncs of a sandbox."""

import sys
import tempfile
from pathlib import Path

from intercom_sync_tests.browser.chromium import EXECUTABLE, Page, browser
from intercom_sync_tests.browser.looks import check, graph, overview, plots, run
from intercom_sync_tests.browser.stack import stack


def main(folder: Path) -> int:
    """Take all screenshots and return 0."""
    if not EXECUTABLE:
        print("Chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        stack(Path(home) / "home") as up,
        browser(Path(home) / "profile") as page,
    ):
        _take(folder, up.url, page)
    print(f"{folder}: " + ", ".join(sorted(one.name for one in folder.glob("*.png"))))
    return 0


def _take(folder: Path, url: str, page: Page) -> None:
    page.size(1500, 760)
    graph(page, url)
    page.screenshot(folder / "graph.png")
    page.size(1280, 1120)
    for name, look in {"run": run, "overview": overview, "plots": plots}.items():
        look(page, url)
        page.screenshot(folder / f"{name}.png")
    check(page, url, "raw_contacts", "emails_valid", "is not a valid address")
    page.screenshot(folder / "check.png")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "screenshots")))
