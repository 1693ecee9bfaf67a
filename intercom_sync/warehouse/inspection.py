"""Inspect a database without changing it: what a sync lacks, and what its first step would change."""

from dataclasses import dataclass

from intercom_sync.warehouse.dagster_schema import choose_schema
from intercom_sync.warehouse.migrate import pending_steps
from intercom_sync.warehouse.migration_plan import Step
from intercom_sync.warehouse.preflight import missing_rights, notes, problems
from intercom_sync.warehouse.schema_state import read_state
from intercom_sync.warehouse.session import Session


@dataclass(frozen=True)
class Inspection:
    """What was found.

    Attributes:
        version: the server's version.
        problems: a sentence for everything that a sync lacks.
        notes: a sentence for what does no harm to a sync, and may to other programs.
        steps: what a migration would change.
    """

    version: str
    problems: list[str]
    notes: list[str]
    steps: list[Step]


def inspect(url: str, schema: str, *, with_dagster: bool) -> Inspection:
    """Inspect a database in a read-only transaction.

    Args:
        url: the database.
        schema: the schema of our tables.
        with_dagster: whether Dagster's tables are to be in the same database.

    Raises:
        WarehouseError: it cannot be reached, or refuses to be looked at.
    """
    with Session(url, schema) as session, session.transaction():
        session.execute("SET TRANSACTION READ ONLY")
        state = read_state(lambda query: session.frame(query).rows(), schema)
        found = list(problems(session, state))
        if with_dagster and not found:
            found += missing_rights(session, choose_schema(session, schema))
        version = str(session.value("SELECT current_setting('server_version')"))
        encoding = str(session.value("SELECT current_setting('server_encoding')"))
        return Inspection(version, found, list(notes(state, encoding)), pending_steps(state))
