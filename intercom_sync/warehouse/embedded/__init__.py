"""The embedded PostgreSQL server: its process and its files."""
