"""Reading Intercom: the client, and the strategy by which a stream of records is read whole or by window.

An edge of the product: no Dagster, no SQL, no frames. `reader.Reader` is what the rest of the product calls.
"""
