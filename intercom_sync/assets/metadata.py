"""What the UI shows of a table: its columns, from the one catalogue, and its name."""

from typing import Any

import dagster as dg

from intercom_sync.domain.schema import Table

OWNERS = ["team:customer-data"]
GROUP = "intercom"


def table_metadata(table: Table) -> dict[str, Any]:
    """Return definition metadata: the column schema with descriptions, and the table's name."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type.value,
            column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
            tags={"pii": "true"} if column.personal else {},
        )
        for column in table.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns), "dagster/table_name": table.name}
