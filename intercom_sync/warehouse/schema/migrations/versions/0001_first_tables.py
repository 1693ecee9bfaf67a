"""The first tables: what is missing is made by `warehouse.schema.migrate` before any revision runs."""

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Nothing to change: this revision marks where the history begins."""
