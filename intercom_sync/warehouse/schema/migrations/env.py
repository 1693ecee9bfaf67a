"""Configure Alembic for an upgrade, with the open connection and the schema from `warehouse.schema.migrate`."""

from alembic import context

schema = context.config.attributes["schema"]
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    version_table="intercom_sync_version",
    version_table_schema=schema,
)
with context.begin_transaction():
    context.run_migrations()
