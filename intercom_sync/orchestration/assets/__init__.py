"""The six assets. Five call one step of `pipeline` each and report its metadata; `mrr_movements` reports the ledger."""

import warnings

import dagster as dg

# `backfill_policy` is beta in Dagster 1.13; pinning the minor version keeps it stable.
warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
