"""Generate the reference pages from the code: `docs/columns.md`, and the table of settings in `docs/configuration.md`.

`python -m intercom_sync_tests.docs`, or `make docs`, writes them. `test_docs` compares them with the code.
"""

from pathlib import Path

import intercom_sync
from intercom_sync.domain.schema.columns import Column, Table
from intercom_sync.domain.schema.movement_views import VIEWS
from intercom_sync.domain.schema.tables import TABLES
from intercom_sync.settings import SETTINGS

ROOT = Path(intercom_sync.__file__).parents[1]
COLUMNS = ROOT / "docs" / "columns.md"
CONFIGURATION = ROOT / "docs" / "configuration.md"

_INTRODUCTION = """# Tables and columns

Generated from `intercom_sync/domain/schema/` by `make docs`; do not edit this page by hand.

*Null* says whether a value may be unknown. *Personal* values can identify a person; the UI marks these columns
with the tag `pii`. Times are `timestamptz` in UTC. Money is `numeric` with six decimals, in major units of its
currency. Where `unified_customers` is a table of another program, it keeps that program's types and has no
column `customer_id`.
"""
_SETTINGS_HEADER = "| name | default | meaning |\n| --- | --- | --- |\n"


def columns_page() -> str:
    """Return the page of all tables and columns."""
    index = "\n".join(f"- [`{table.name}`](#{table.name}): {table.description}" for table in (*TABLES, *VIEWS))
    return "\n".join([_INTRODUCTION, index, *map(_section, (*TABLES, *VIEWS))])


def settings_table() -> str:
    """Return the table of all settings."""
    rows = (f"| `{one.name}` | {f'`{one.default}`' if one.default else ''} | {one.meaning} |" for one in SETTINGS)
    return _SETTINGS_HEADER + "\n".join(rows) + "\n"


def configuration_page(page: str) -> str:
    """Return the page of settings with its table replaced by the present one."""
    before, _, after = page.partition(_SETTINGS_HEADER)
    return before + settings_table() + after[after.index("\n## ") :]


def _section(table: Table) -> str:
    columns = "\n".join(_row(column) for column in table.all_columns)
    key = ", ".join(f"`{name}`" for name in table.key)
    unique = "One row per" if table in VIEWS else "Primary key:"
    return (
        f"\n## {table.name}\n\n{table.description}\n\n{unique} {key}.\n\n"
        f"| column | type | null | personal | description |\n| --- | --- | --- | --- | --- |\n{columns}\n"
    )


def _row(column: Column) -> str:
    nullable = "yes" if column.nullable else "no"
    personal = "yes" if column.personal else ""
    return f"| `{column.name}` | {column.type} | {nullable} | {personal} | {column.description} |"


def write() -> None:
    """Write the generated pages."""
    COLUMNS.write_text(columns_page())
    CONFIGURATION.write_text(configuration_page(CONFIGURATION.read_text()))


if __name__ == "__main__":
    write()
