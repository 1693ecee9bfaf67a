"""The steps of a sync: start a run, extract, compute, publish, deliver alerts.

Combines `intercom`, `warehouse` and `slack` by the rules of `domain`. No Dagster belongs here: the assets call one
function each.
"""
