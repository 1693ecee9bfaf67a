"""The code location: the assets, checks, job, schedules, sensors and resources of one workspace."""

from typing import Any

import dagster as dg

from intercom_sync.orchestration.assets.computed_assets import (
    build_revenue_metrics,
    build_support_metrics,
    build_unified_customers,
)
from intercom_sync.orchestration.assets.movement_assets import build_mrr_movements
from intercom_sync.orchestration.assets.raw_assets import build_raw_assets
from intercom_sync.orchestration.checks.build_checks import build_checks
from intercom_sync.orchestration.checks.contact_checks import CONTACT_CHECKS
from intercom_sync.orchestration.checks.conversation_checks import CONVERSATION_CHECKS
from intercom_sync.orchestration.checks.customer_checks import CUSTOMER_CHECKS
from intercom_sync.orchestration.checks.movement_checks import MOVEMENT_CHECKS
from intercom_sync.orchestration.checks.revenue_checks import revenue_checks
from intercom_sync.orchestration.checks.support_checks import SUPPORT_CHECKS
from intercom_sync.orchestration.jobs import build_sync_job
from intercom_sync.orchestration.partitions import six_hour_windows
from intercom_sync.orchestration.resources import build_resources
from intercom_sync.orchestration.schedules import build_schedules
from intercom_sync.orchestration.sensors import build_sensors
from intercom_sync.pipeline.stream_specs import CONTACT_STREAM, CONVERSATION_STREAM
from intercom_sync.settings import Settings


def build_definitions(settings: Settings, **overrides: Any) -> dg.Definitions:
    """Return the definitions of the workspace that the settings describe.

    Args:
        settings: those of the workspace.
        overrides: resources by name, in place of the usual ones; for the command line and the tests.
    """
    rules, partitions, job = settings.rules, six_hour_windows(settings.partitions_start), build_sync_job()
    return dg.Definitions(
        assets=[
            build_raw_assets(partitions, settings),
            build_revenue_metrics(partitions, rules),
            build_support_metrics(partitions, rules),
            build_unified_customers(partitions, rules),
            build_mrr_movements(partitions, rules.currency),
        ],
        asset_checks=[
            build_checks(CONTACT_STREAM.asset, CONTACT_CHECKS, partitions),
            build_checks(CONVERSATION_STREAM.asset, CONVERSATION_CHECKS, partitions),
            build_checks("revenue_metrics", revenue_checks(rules), partitions),
            build_checks("support_metrics", SUPPORT_CHECKS, partitions),
            build_checks("unified_customers", CUSTOMER_CHECKS, partitions),
            build_checks("mrr_movements", MOVEMENT_CHECKS, partitions),
        ],
        jobs=[job],
        schedules=build_schedules(job, partitions),
        sensors=build_sensors(settings.schema_name),
        resources=build_resources(settings) | overrides,
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of the workspace that the environment describes, when Dagster loads the code location."""
    return build_definitions(Settings.load())
