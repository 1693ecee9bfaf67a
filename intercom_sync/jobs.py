"""The one job: a sync is all five assets on one window. What it reads is configuration of `assets.raw`."""

import dagster as dg

sync_job = dg.define_asset_job(
    "sync",
    selection=dg.AssetSelection.all(),
    description="Read what changed in Intercom, and make every customer right. `full: true` reads everything.",
    # A worker that died: the reading goes on where it stopped, and the figures are those of one whole run.
    tags={"dagster/retry_strategy": "ALL_STEPS"},
)


def read_config(**config: bool | str) -> dict[str, object]:
    """Return the run configuration that tells a sync what to read."""
    return {"ops": {"raw": {"config": config}}}
