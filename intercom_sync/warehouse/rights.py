"""Refuse at the start what would fail at the end: a server too old, a schema or a table that the role may not use.

Which statements grant the rights stands in deploy/README.md; making tables is the business of `migrate`.
"""

from intercom_sync.domain import tables as catalogue
from intercom_sync.warehouse.errors import DatabaseRefusedError
from intercom_sync.warehouse.refusals import SETTING
from intercom_sync.warehouse.session import Session, quoted

OLDEST = 15
"""The oldest major version of PostgreSQL that the tests run on."""

_MAY_MAKE_TABLES = (
    "SELECT has_schema_privilege(n, 'USAGE') AND has_schema_privilege(n, 'CREATE') FROM to_regnamespace($1) n"
)
# Of what others own, only `forget` deletes.
_NEEDED = " AND ".join(f"has_table_privilege(c.oid, '{right}')" for right in ("SELECT", "INSERT", "UPDATE"))
_LACKING = (
    "SELECT string_agg(c.relname::text, ', ' ORDER BY c.relname) FROM pg_class c "
    "WHERE c.relnamespace = to_regnamespace($1) AND c.relname = ANY(string_to_array($2, ',')) "
    f"AND NOT ({_NEEDED} AND (c.relname = 'unified_customers' OR has_table_privilege(c.oid, 'DELETE')))"
)


def refuse_old_servers(session: Session) -> None:
    """Refuse a server older than the oldest that is known to do.

    Raises:
        DatabaseRefusedError: naming both versions.
    """
    version = int(session.value("SELECT current_setting('server_version_num')"))
    if version < OLDEST * 10_000:
        raise DatabaseRefusedError(
            f"PostgreSQL {version // 10_000} is too old: {OLDEST} or newer is needed; name one in {SETTING}."
        )


def may_make_tables(session: Session, schema: str) -> None:
    """Refuse a schema in which the role may not make tables.

    Raises:
        DatabaseRefusedError: naming the schema and the rights.
    """
    if not session.value(_MAY_MAKE_TABLES, quoted(schema)):
        raise DatabaseRefusedError(
            f"The role may not make tables in the schema {schema}: grant it USAGE and CREATE there, or name another "
            f"role in {SETTING}."
        )


def require_rights(session: Session, schema: str) -> None:
    """Refuse a schema with a table of the catalogue that the role may not read or write.

    Raises:
        DatabaseRefusedError: naming the tables and the rights.
    """
    lacking = session.value(_LACKING, quoted(schema), ",".join(table.name for table in catalogue.TABLES))
    if lacking:
        raise DatabaseRefusedError(
            f"The role may not read and write {lacking} in the schema {schema}: grant it SELECT, INSERT, UPDATE and "
            f"DELETE there (deploy/README.md has the statements), or name another role in {SETTING}."
        )
