"""Everything there is: the assets, the job, the schedules, the sensors and what they get from outside."""

from typing import Any

import dagster as dg

from intercom_sync.domain.clocks import machine_clock
from intercom_sync.orchestration.assets.computed_assets import revenue_metrics, support_metrics, unified_customers
from intercom_sync.orchestration.assets.raw_assets import raw
from intercom_sync.orchestration.checks.contact_checks import raw_contacts_checks
from intercom_sync.orchestration.checks.conversation_checks import raw_conversations_checks
from intercom_sync.orchestration.checks.customer_checks import unified_customers_checks
from intercom_sync.orchestration.checks.revenue_checks import revenue_metrics_checks
from intercom_sync.orchestration.checks.support_checks import support_metrics_checks
from intercom_sync.orchestration.jobs import sync_job
from intercom_sync.orchestration.resources import AlertsSlackResource, IntercomResource, WarehouseResource
from intercom_sync.orchestration.schedules import every_six_hours, weekly_full
from intercom_sync.orchestration.sensors import incidents, slack_alerts
from intercom_sync.pipeline.stream_result import no_progress


def build(**overrides: Any) -> dg.Definitions:
    """Return the definitions; the command line and the tests replace resources by name."""
    resources = {
        "intercom": IntercomResource(api_key=dg.EnvVar("INTERCOM_API_KEY")),
        "warehouse": WarehouseResource(),
        "slack": AlertsSlackResource(),
        "clock": dg.ResourceDefinition.hardcoded_resource(machine_clock),
        "progress": dg.ResourceDefinition.hardcoded_resource(no_progress),
    }
    return dg.Definitions(
        assets=[raw, revenue_metrics, support_metrics, unified_customers],
        asset_checks=[
            raw_contacts_checks,
            raw_conversations_checks,
            revenue_metrics_checks,
            support_metrics_checks,
            unified_customers_checks,
        ],
        jobs=[sync_job],
        schedules=[every_six_hours, weekly_full],
        sensors=[incidents, slack_alerts],
        resources=resources | overrides,
        executor=dg.in_process_executor,
    )


defs = build()
