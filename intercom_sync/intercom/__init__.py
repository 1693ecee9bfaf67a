"""The Intercom API client and the strategies for a full or an incremental scan of a stream.

`reader.Reader` is the interface that the rest of the product calls. No Dagster, SQL or data frames belong here.
"""
