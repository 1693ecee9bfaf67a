"""The steps of a sync: start a run, extract, compute, publish, deliver alerts.

This package combines `intercom`, `warehouse` and `slack` by the rules of `domain`. No Dagster belongs here: each asset
calls one function.
"""
