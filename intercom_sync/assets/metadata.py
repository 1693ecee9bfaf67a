"""What the UI shows of every asset before it runs: its table's columns, their lineage, owners, links, freshness.

All of it follows from the one catalogue. What a run reports stands in `report`.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

from intercom_sync.domain.lineage import LINEAGE
from intercom_sync.domain.schema import Table
from intercom_sync.domain.tables import CONTACT_MERGES, INTERCOM_CONTACTS, INTERCOM_CONVERSATIONS, INTERCOM_MESSAGES

OWNERS = ["team:customer-data"]
GROUP = "intercom"
# Two windows and the time the second one takes; one window and the same.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=13), warn_window=timedelta(hours=7))
_REFERENCE = "https://developers.intercom.com/docs/references/rest-api/api.intercom.io"
_LINKS = {
    INTERCOM_CONTACTS.name: {"intercom_reference": f"{_REFERENCE}/contacts/searchcontacts"},
    INTERCOM_CONVERSATIONS.name: {"intercom_reference": f"{_REFERENCE}/conversations/searchconversations"},
}
_ASSETS = {
    INTERCOM_CONTACTS.name: "raw_contacts",
    CONTACT_MERGES.name: "raw_contacts",
    INTERCOM_CONVERSATIONS.name: "raw_conversations",
    INTERCOM_MESSAGES.name: "raw_conversations",
}


def table_metadata(table: Table) -> dict[str, Any]:
    """Return definition metadata: the column schema with descriptions, the table's name, lineage and links."""
    columns = [
        dg.TableColumn(
            column.name,
            column.type.value,
            column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
            tags={"pii": "true"} if column.personal else {},
        )
        for column in table.all_columns
    ]
    links = {"intercom": "https://app.intercom.com"} | _LINKS.get(table.name, {})
    return {
        "dagster/column_schema": dg.TableSchema(columns),
        "dagster/table_name": table.name,
        **{name: dg.MetadataValue.url(url) for name, url in links.items()},
    }


def column_lineage(table: Table) -> dict[str, dg.TableColumnLineage]:
    """Return result metadata: which columns of which assets each column is made of; nothing for landed tables."""
    if table.name not in LINEAGE:
        return {}
    lineage = {
        column: [
            dg.TableColumnDep(dg.AssetKey(_ASSETS.get(source.name, source.name)), name) for source, name in sources
        ]
        for column, sources in LINEAGE[table.name].items()
    }
    return {"dagster/column_lineage": dg.TableColumnLineage(lineage)}
