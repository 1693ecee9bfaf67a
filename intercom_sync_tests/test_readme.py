"""The README tells the truth: every setting, table, command and picture it should name, and none that is not there."""

import re
from pathlib import Path

from intercom_sync import settings
from intercom_sync.domain.schema.tables import TABLES

_ROOT = Path(__file__).parent.parent
_README = (_ROOT / "README.md").read_text()


def test_every_setting_stands_there_with_its_default_and_meaning():
    for one in settings.SETTINGS:
        default = f"`{one.default}`" if one.default else ""
        assert f"| `{one.name}` | {default} | {one.meaning} |" in _README


def test_no_setting_stands_there_that_is_not_read():
    named = set(re.findall(r"`((?:INTERCOM|SLACK)_[A-Z_]+)`", _README))
    assert named == {one.name for one in settings.SETTINGS}


def test_every_table_is_named():
    assert [table.name for table in TABLES if f"`{table.name}`" not in _README] == []


def test_every_file_and_make_target_named_is_there():
    makefile = (_ROOT / "Makefile").read_text()
    assert [link for link in re.findall(r"\]\((?!http)([^)#]+)\)", _README) if not (_ROOT / link).exists()] == []
    assert [name for name in re.findall(r"`make (\w+)", _README) if f"\n{name}:" not in makefile] == []
