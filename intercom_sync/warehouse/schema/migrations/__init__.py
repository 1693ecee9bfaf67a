"""Alembic's script folder: changes to existing tables. Missing tables and columns are added by `schema.migrate`."""
