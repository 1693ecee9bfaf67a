"""Standard names: renames what release 0001 created; `warehouse.schema.renames` plans it from what is there."""

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
