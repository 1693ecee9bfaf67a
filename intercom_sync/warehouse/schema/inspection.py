"""Inspect a database without changing it: unmet requirements of a sync, and pending migration steps."""

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
    """The result of an inspection.

    Attributes:
        version: the server's version.
        problems: one sentence per unmet requirement of a sync.
        notes: one sentence per fact that does not affect a sync but may affect other programs.
        steps: the pending migration steps.
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
        with_dagster: whether the database will also hold Dagster's tables.

    Raises:
        WarehouseError: the database cannot be reached, or refuses a query.
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
            # A missing privilege can make a later check fail. The missing privilege is then reported, not that failure.
            found = found or [str(error)]
    return Inspection(version, found, list(notes(state, encoding)), pending_steps(state))
