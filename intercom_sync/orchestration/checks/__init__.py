"""The asset checks, one module per asset.

Their SQL is in `warehouse.queries`, the rules on extraction statistics are in `domain.reconciliation`, and
`build_checks` creates Dagster's check definitions. A check blocks only to keep invalid data out of
`unified_customers`; rejected records are a warning with a count and never stop a sync.
"""
