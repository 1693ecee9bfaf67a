"""The asset checks, one module per asset: what is asked of it, and what its answer means.

The questions to the tables are in `warehouse`, verdicts over the figures of readings in `domain.verdicts`; what Dagster
needs to know of a check stands in `declare`. A check blocks only where the batch must not be written: before
`unified_customers`. Records that cannot be used are a warning with their number, and never stop a sync.
"""
