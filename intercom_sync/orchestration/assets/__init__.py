"""The five assets. Each calls one step of `pipeline` and reports its metadata."""

import warnings

import dagster as dg

# `backfill_policy` is beta in Dagster 1.13; pinning the minor version keeps it stable.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
