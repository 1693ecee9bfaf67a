"""The rules: parsing, revenue, support, customers, alerts, data quality. Pure functions and polars expressions.

No Dagster, HTTP, SQL or clock belongs here; the current time is always a parameter.
"""
