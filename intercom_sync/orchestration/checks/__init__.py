"""The asset checks, one module per asset.

Their SQL is in `warehouse.queries`, the rules over the figures of an extraction are in `domain.reconciliation`, and
`build_checks` makes Dagster's check definitions. A check blocks only where invalid data must not reach
`unified_customers`; rejected records are a warning with their number and never stop a sync.
"""
