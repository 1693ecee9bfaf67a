"""A psycopg2 connection to one schema, for changes by other programs."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2

from intercom_sync.warehouse.postgres.urls import plain_url


@contextmanager
def direct(url: str, schema: str) -> Iterator[psycopg2.extensions.cursor]:
    """Open a cursor in autocommit mode with the schema as search path."""
    connection = psycopg2.connect(plain_url(url), options=f'-c search_path="{schema}" -c timezone=UTC')
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def definitions(url: str, schema: str) -> list[tuple[object, ...]]:
    """Return every relation, column, index, type and comment of a schema, for comparisons."""
    with direct(url, schema) as cursor:
        cursor.execute(
            "SELECT c.relname, c.relkind::text, c.relreplident::text, a.attname, format_type(a.atttypid, a.atttypmod), "
            "a.attnotnull, obj_description(c.oid, 'pg_class'), col_description(c.oid, a.attnum), c.relfilenode "
            "FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s ORDER BY 1, a.attnum",
            (schema,),
        )
        return cursor.fetchall()
