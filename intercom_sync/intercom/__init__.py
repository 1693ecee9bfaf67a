"""Intercom API client, and full and incremental scans of a stream.

`reader.Reader` is the interface for the other packages. Nothing here imports Dagster, SQL or data frames.
"""
