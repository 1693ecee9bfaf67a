"""Business rules: parsing, revenue, support, customers, alerts, data quality. Pure functions and polars expressions.

Nothing here imports Dagster, HTTP or SQL, and the current time is always a parameter.
"""
