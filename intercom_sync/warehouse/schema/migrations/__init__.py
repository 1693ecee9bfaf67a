"""Alembic's script folder: what changes in the tables beyond what is missing from them."""
