"""The catalogue's tables as SQLAlchemy metadata, with keys and indexes.

`domain.schema.tables` describes the columns; `migrate` upgrades an existing database.
"""

from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from intercom_sync.domain.schema import tables as catalogue
from intercom_sync.domain.schema.columns import Column, Table, Type

_SQL_TYPES: dict[Type, sa.types.TypeEngine[Any]] = {
    Type.TEXT: sa.Text(),
    Type.TEXTS: postgresql.ARRAY(sa.Text()),
    Type.INTEGER: sa.Integer(),
    Type.BIGINT: sa.BigInteger(),
    Type.NUMERIC: sa.Numeric(),
    Type.BOOLEAN: sa.Boolean(),
    Type.TIMESTAMP: sa.TIMESTAMP(timezone=True),
    Type.DATE: sa.Date(),
    Type.JSON: postgresql.JSON(),
}
_DEFAULTS = {
    ("customer_alerts", "attempts"): "0",
    ("customer_alerts", "refusal_count"): "0",
    ("sync_runs", "contacts_read"): "0",
    ("sync_runs", "conversations_read"): "0",
    ("sync_runs", "skipped_contacts"): "0",
    ("sync_runs", "errors"): "0",
    ("sync_extractions", "started_at"): "clock_timestamp()",
    ("intercom_contacts", "landed_at"): "clock_timestamp()",
    ("intercom_conversations", "landed_at"): "clock_timestamp()",
    ("rejected_records", "landed_at"): "clock_timestamp()",
    ("intercom_conversations", "parts_missing"): "0",
    ("intercom_contacts", "revision"): "nextval('intercom_revision')",
}
_NUMBERED = {("customer_alerts", "id"), ("mrr_movements", "movement_id"), ("customer_history", "history_id")}
MARK = "Made by intercom_sync."
"""The marker at the start of the comment of every table that the sync created."""

VERSION_TABLE = "intercom_sync_version"
REVISIONS = "intercom_revision"
"""The sequence that numbers the versions of contacts."""

# This index makes emails unique regardless of case. Other systems may write to the table before the sync does.
EMAIL_INDEX = "unified_customers_lower_email"


# One inspection needs the metadata several times, and building it takes longer than the queries.
@lru_cache(maxsize=4)
def build_metadata(schema: str) -> sa.MetaData:
    """Return the catalogue as SQLAlchemy metadata of one schema. Callers share it and must not change it."""
    metadata = sa.MetaData(schema=schema)
    sa.Sequence(REVISIONS, metadata=metadata, schema=schema)
    for table in catalogue.TABLES:
        _table(metadata, table, schema)
    return metadata


def _table(metadata: sa.MetaData, table: Table, schema: str) -> None:
    sql_table = sa.Table(
        table.name,
        metadata,
        *(_column(table, column, schema) for column in table.all_columns),
        sa.PrimaryKeyConstraint(*table.key),
        schema=schema,
        comment=f"{MARK} {table.description}",
    )
    if table is catalogue.UNIFIED_CUSTOMERS:
        sa.Index(EMAIL_INDEX, sa.func.lower(sql_table.c.email), unique=True)
    if table is catalogue.INTERCOM_CONTACTS:
        # The key of the contact's customer, lower-cased by the database, as in the unique index.
        sql_table.append_column(sa.Column("email_key", sa.Text(), sa.Computed("lower(email)", persisted=True)))
        sa.Index("intercom_contacts_email_key", sql_table.c.email_key)
    if table is catalogue.CUSTOMER_ALERTS:
        sa.Index("customer_alerts_pending", sql_table.c.id, postgresql_where=sql_table.c.delivered_at.is_(None))
        sa.Index(
            "customer_alerts_dedupe_key",
            sql_table.c.dedupe_key,
            unique=True,
            postgresql_where=sql_table.c.dedupe_key.is_not(None),
        )
    if table is catalogue.MRR_MOVEMENTS:
        sa.Index("mrr_movements_email", sql_table.c.email)
    if table is catalogue.CUSTOMER_HISTORY:
        current = sql_table.c.valid_to.is_(None)
        sa.Index("customer_history_current", sql_table.c.email_key, unique=True, postgresql_where=current)


def _column(table: Table, column: Column, schema: str) -> sa.Column[Any]:
    default = _DEFAULTS.get((table.name, column.name))
    if default and "nextval" in default:
        default = default.replace("nextval('", f'nextval(\'"{schema}".')
    numbered = column is table.identity or (table.name, column.name) in _NUMBERED
    return sa.Column(
        column.name,
        _SQL_TYPES[column.type],
        *((sa.Identity(),) if numbered else ()),
        # Rows of other systems may lack values that our rows require.
        nullable=column.nullable,
        server_default=sa.text(default) if default else None,
        comment=column.description,
    )
