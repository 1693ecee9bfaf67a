"""Inspect a database without changing it: what a sync lacks, and what its first step would change."""

from dataclasses import dataclass

from intercom_sync.warehouse.errors import WarehouseError
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.dagster_schema import choose_schema
from intercom_sync.warehouse.schema.migrate import pending_steps
from intercom_sync.warehouse.schema.migration_plan import Step
from intercom_sync.warehouse.schema.preflight import missing_rights, notes, problems
from intercom_sync.warehouse.schema.renames import read_renamed_state


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
    found: list[str] = []
    with Session(url, schema) as session:
        session.execute("SET TRANSACTION READ ONLY")
        version = str(session.value("SELECT current_setting('server_version')"))
        encoding = str(session.value("SELECT current_setting('server_encoding')"))
        state = read_renamed_state(lambda query: session.frame(query).rows(), schema)
        try:
            for problem in problems(session, state):
                found.append(problem)
            if with_dagster and not found:
                found += missing_rights(session, choose_schema(session, schema))
        except WarehouseError as error:
            # A right that is missing may keep the next check from looking; then that right is the news.
            found = found or [str(error)]
    return Inspection(version, found, list(notes(state, encoding)), pending_steps(state))
