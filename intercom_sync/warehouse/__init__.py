"""PostgreSQL: all SQL of the product.

Sessions, tables and migrations, landing, computed tables, state of runs, the alert outbox. What a value means is in
`domain`. No Dagster and no HTTP belong here.
"""
