"""One sync, step by step: what a run reads, how pages become landed rows, how rows become customers.

Joins the edges (`intercom`, `warehouse`) with the rules (`domain`), and knows no Dagster: the assets call it, one
function each.
"""
