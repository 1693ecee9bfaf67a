"""Rename what release 0001 created to the standard names; `warehouse.schema.renames` plans the statements."""

from alembic import context, op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Execute the planned statements."""
    for statement in context.config.attributes["renames"]:
        if isinstance(statement, str):
            op.get_bind().exec_driver_sql(statement)
        else:
            op.get_bind().execute(statement)
