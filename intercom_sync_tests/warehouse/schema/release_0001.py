"""A database of release 0001, restored from a dump with the rows of some syncs (`release_0001.sql`)."""

from pathlib import Path

from intercom_sync_tests.warehouse.plain_connection import direct

_DUMP = Path(__file__).with_suffix(".sql").read_text()


def restore(url: str, schema: str) -> None:
    """Restore the dump into an existing schema."""
    with direct(url, schema) as cursor:
        cursor.execute(_DUMP.replace("{schema}", schema))
        cursor.execute("SELECT set_config('search_path', %s, FALSE)", (schema,))
