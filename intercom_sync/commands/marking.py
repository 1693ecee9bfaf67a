"""Mark the windows that one sync in the foreground covered besides its own: the UI shows no gap where there is none."""

import dagster as dg

from intercom_sync.domain.window import Window
from intercom_sync.partitions import WINDOW, key_of, window_holding, windows

_MOST = 28
"""Windows marked at the most, a week of them: each costs as many events as there are assets, and marking must never
take longer than reading."""


def mark_covered(instance: dg.DagsterInstance, run_id: str, covered: Window, assets: list[dg.AssetKey]) -> list[str]:
    """Report each whole window before the run's own as materialized by it, the newest ones; return their keys."""
    window = window_holding(covered.end)
    keys = []
    for _ in range(_MOST):
        window = Window(window.start - WINDOW, window.start)
        # The first sync after a gap starts inside a window that the sync before it had read the beginning of.
        if window.end <= covered.start or not windows.has_partition_key(key_of(window)):
            break
        keys.append(key_of(window))
    for key in keys:
        for asset in assets:
            event = dg.AssetMaterialization(asset, partition=key, metadata={"covered_by_run": run_id})
            instance.report_runless_asset_event(event)
    return keys
