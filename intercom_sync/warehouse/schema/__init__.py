"""The tables in the database: DDL, migrations, privileges and column types."""
