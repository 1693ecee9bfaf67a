"""README and reference pages are complete: they name every setting, table, column and command, and no other."""

import re
from pathlib import Path

import pytest

from intercom_sync import cli, settings
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import TABLES
from intercom_sync_tests import docs

_PAGES = [docs.ROOT / "README.md", docs.ROOT / "CONTRIBUTING.md", *sorted((docs.ROOT / "docs").rglob("*.md"))]
_TEXT = "\n".join(page.read_text() for page in _PAGES)
_COLUMNS = docs.COLUMNS.read_text()
_CONFIGURATION = docs.CONFIGURATION.read_text()
_COMMAND = re.compile(r"\| `intercom-sync (\w+)")


def test_every_setting_is_listed_with_its_default_and_meaning() -> None:
    for one in settings.SETTINGS:
        default = f"`{one.default}`" if one.default else ""
        assert f"| `{one.name}` | {default} | {one.meaning} |" in _CONFIGURATION


def test_no_setting_is_named_that_is_not_read() -> None:
    pages = "\n".join(page.read_text() for page in _PAGES if page.name != "CONTRIBUTING.md")
    named = set(re.findall(r"`((?:INTERCOM|SLACK)_[A-Z_]+)`", pages))
    assert named == {one.name for one in settings.SETTINGS}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_and_column_is_listed(table: Table) -> None:
    section = _COLUMNS.partition(f"\n## {table.name}\n")[2].partition("\n## ")[0]
    assert [column.name for column in table.all_columns] == re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)


def test_the_generated_pages_are_up_to_date() -> None:
    assert docs.columns_page() == _COLUMNS, "run `make docs`"
    assert docs.configuration_page(_CONFIGURATION) == _CONFIGURATION, "run `make docs`"


def test_every_command_is_listed_and_no_other() -> None:
    commands = re.findall(r'add_parser\("(\w+)"', Path(cli.__file__).read_text())
    assert sorted(_COMMAND.findall((docs.ROOT / "README.md").read_text())) == sorted(commands)


def test_every_make_target_named_exists() -> None:
    makefile = (docs.ROOT / "Makefile").read_text()
    targets = {name for names in re.findall(r"`make ([a-z][a-z -]*)", _TEXT) for name in names.split()}
    assert [name for name in sorted(targets) if f"\n{name}:" not in makefile] == []
