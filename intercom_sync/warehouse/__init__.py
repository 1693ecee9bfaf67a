"""PostgreSQL access: all SQL of the product.

Contains sessions, tables and migrations, landing, computed tables, state of runs and the alert outbox. The meaning of
values is defined in `domain`. No Dagster and no HTTP belong here.
"""
