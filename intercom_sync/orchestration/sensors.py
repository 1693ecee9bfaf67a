"""The two sensors: one enqueues incidents in the outbox, one delivers the outbox to Slack.

Both are idempotent, so the next tick repeats the work of a tick that fails.
"""

import json
import logging
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg

from intercom_sync.domain.alerts import Alert
from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.errors import SyncError
from intercom_sync.orchestration.dead_runs import close_dead_runs
from intercom_sync.orchestration.resources import AlertsSlackResource, WarehouseResource
from intercom_sync.orchestration.run_events import ended_since, record_ended
from intercom_sync.pipeline.alert_delivery import AlertDispatcher
from intercom_sync.pipeline.record_incidents import record
from intercom_sync.redaction import redact_unexpected
from intercom_sync.slack.blocks import DIGEST_THRESHOLD
from intercom_sync.slack.slack_client import MAX_WAIT_SECONDS, post_message
from intercom_sync.warehouse.alerts import outbox
from intercom_sync.warehouse.postgres.session import read_present

_LOG = logging.getLogger("intercom_sync.alerts")
_INTERVAL_SECONDS = 60
_FIRST_LOOKBACK = timedelta(days=1)
# Dagster may write a run record slightly after the time in it.
_OVERLAP = timedelta(minutes=10)


def build_sensors(schema: str) -> list[dg.SensorDefinition]:
    """Return the sensors of the workspace whose tables are in a schema."""

    @dg.sensor(
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Enqueues alerts on failed runs and checks, partial failures of syncs, and windows never synced.",
    )
    def incidents(context: dg.SensorEvaluationContext, warehouse: dg.ResourceParam[WarehouseResource]) -> dg.SkipReason:
        return _record_incidents(context, warehouse, schema)

    @dg.sensor(
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Delivers customer_alerts to Slack, each once; alerts that Slack does not accept stay pending.",
    )
    def slack_alerts(
        context: dg.SensorEvaluationContext,
        warehouse: dg.ResourceParam[WarehouseResource],
        slack: dg.ResourceParam[AlertsSlackResource],
    ) -> dg.SkipReason:
        return _deliver_alerts(context, warehouse, slack)

    return [incidents, slack_alerts]


def _record_incidents(context: dg.SensorEvaluationContext, warehouse: WarehouseResource, schema: str) -> dg.SkipReason:
    """Record the incidents of the runs that ended since the last tick."""
    now = datetime.now(UTC)
    with redact_unexpected(SyncError), warehouse.connect() as session:
        for sentence in close_dead_runs(context.instance, session, schema):
            context.log.warning(sentence)
    since = _read_from(context.cursor, now)
    origin = context.code_location_origin
    location = origin.location_name if origin else None
    with redact_unexpected(SyncError), warehouse.connect() as session:
        ended, upto = ended_since(context.instance, since, location, schema)
        news = sum(record_ended(context.instance, session, record) for record in ended)
        with session.transaction():
            news += record(session, read_present(session, now))
    context.update_cursor((upto or now).isoformat())
    return dg.SkipReason(f"looked at {len(ended)} runs that ended, {news} news")


def _deliver_alerts(
    context: dg.SensorEvaluationContext, warehouse: WarehouseResource, slack: AlertsSlackResource
) -> dg.SkipReason:
    """Deliver the pending alerts, unless Slack's rate limit asks to wait."""
    state = json.loads(context.cursor or "{}")
    with redact_unexpected(SyncError), warehouse.connect() as session:
        if not slack.is_set_up():
            waiting = outbox.pending(session)
            _log(alert for alert in waiting if alert.id > state.get("logged", 0))
            context.update_cursor(json.dumps({"logged": max((alert.id for alert in waiting), default=0)}))
            return dg.SkipReason(f"no SLACK_BOT_TOKEN: {len(waiting)} alerts wait in customer_alerts")
        # A longer wait was stored while the clock was ahead.
        if 0 < state.get("not_before", 0) - time.time() <= MAX_WAIT_SECONDS:
            left = outbox.backlog(session).pending
            return dg.SkipReason(f"Slack asks to wait until {_clock(state['not_before'])}, {left} waiting")
        send = partial(post_message, slack.get_client())
        done = AlertDispatcher(session, slack.channels(), send, time.monotonic, time.sleep).deliver()
    context.update_cursor(json.dumps({"not_before": time.time() + done.wait_seconds} if done.wait_seconds else {}))
    return dg.SkipReason(str(done))


def _read_from(cursor: str | None, now: datetime) -> datetime:
    """Return the time from which to read ended runs: the cursor, unless it is unset or was stored by a fast clock."""
    last = datetime.fromisoformat(cursor) if cursor else None
    return now - _FIRST_LOOKBACK if last is None or last > now + TOLERANCE else last - _OVERLAP


def _log(alerts: Iterable[Alert]) -> None:
    """Log alerts that are not delivered, without personal data; a large number is logged as counts."""
    new_alerts = list(alerts)
    if len(new_alerts) > DIGEST_THRESHOLD:
        kinds = sorted({alert.kind for alert in new_alerts})
        counts = ", ".join(f"{sum(alert.kind == kind for alert in new_alerts)} {kind}" for kind in kinds)
        _LOG.info("New in customer_alerts: %s", counts)
        return
    for alert in new_alerts:
        _LOG.info("New in customer_alerts: %s (id %d)", alert.kind, alert.id)


def _clock(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%H:%M:%S} UTC"
