"""The Postgres edge: connect, tables and migrations, landing, metrics, the upsert of customers, runs.

SQL lives here and nowhere else; what a value means lives in `domain`. No Dagster and no HTTP belong here.
"""
