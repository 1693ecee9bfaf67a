"""The first revision changes nothing: `warehouse.schema.migrate` creates missing tables after the revisions."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing: this revision marks the start of the history."""
