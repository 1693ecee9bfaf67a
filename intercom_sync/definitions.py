"""Everything there is: the assets, the job, the schedules and what they get from outside."""

from typing import Any

import dagster as dg

from intercom_sync.assets.raw import raw
from intercom_sync.assets.revenue_metrics import revenue_metrics
from intercom_sync.assets.support_metrics import support_metrics
from intercom_sync.assets.unified_customers import unified_customers
from intercom_sync.jobs import sync_job
from intercom_sync.resources import IntercomResource, WarehouseResource
from intercom_sync.schedules import every_six_hours, weekly_full
from intercom_sync.sync.progress import silent


def build(**overrides: Any) -> dg.Definitions:
    """Return the definitions; the command line and the tests replace resources by name."""
    resources = {
        "intercom": IntercomResource(api_key=dg.EnvVar("INTERCOM_API_KEY")),
        "warehouse": WarehouseResource(),
        "progress": dg.ResourceDefinition.hardcoded_resource(silent),
    }
    return dg.Definitions(
        assets=[raw, revenue_metrics, support_metrics, unified_customers],
        jobs=[sync_job],
        schedules=[every_six_hours, weekly_full],
        resources=resources | overrides,
        executor=dg.in_process_executor,
    )


defs = build()
