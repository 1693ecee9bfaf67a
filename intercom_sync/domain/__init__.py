"""What the words mean: contacts, conversations, revenue, support, customers, quality, alerts, figures.

Pure functions and polars expressions. No Dagster, HTTP, SQL or clock belongs here; *now* is always a parameter.
"""
