"""Search all tables of a database for a text that should have been erased."""

from collections.abc import Iterable, Iterator

import psycopg2
from psycopg2.sql import SQL, Identifier

from intercom_sync.warehouse.postgres.urls import plain_url

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s AND table_type = 'BASE TABLE'"


def found(url: str, schemas: Iterable[str], text: str) -> set[str]:
    """Return the tables of some schemas that contain a text, ignoring case, also inside JSON and arrays."""
    return {table for table, row in _rows(url, schemas) if text.lower() in row.lower()}


def _rows(url: str, schemas: Iterable[str]) -> Iterator[tuple[str, str]]:
    connection = psycopg2.connect(plain_url(url))
    with connection.cursor() as cursor:
        for schema in schemas:
            cursor.execute(_TABLES, (schema,))
            tables = [name for (name,) in cursor.fetchall()]
            assert tables, f"no table in {schema}"
            for table in tables:
                cursor.execute(SQL("SELECT t::text FROM {}.{} t").format(Identifier(schema), Identifier(table)))
                yield from ((table, row) for (row,) in cursor.fetchall())
    connection.close()
