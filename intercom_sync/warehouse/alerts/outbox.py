"""The outbox `customer_alerts`: alerts are stored with the write that causes them and kept until Slack accepts them.

`domain.alerts` and `domain.incidents` decide about alerts; `pipeline.alert_delivery` sends them by `slack`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from intercom_sync.domain.alerts import Alert
from intercom_sync.domain.cancel_mentions import Mention
from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.incidents import Incident
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.landing.contact_merges import WRITTEN_BY
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun

MAX_REFUSALS = 3
"""The number of refusals of an alert's content after which it is dead-lettered."""

_MAX_ALERTS = 50_000
# The fastest way to select rows by id. A short update keeps the time short in which a crash could send an alert twice.
_IDS = "string_to_array(${}, ',')::bigint[]"
_NEWEST_MENTIONS = (
    "SELECT DISTINCT ON (c.email_key) c.email_key, m.text, m.created_at, m.conversation_id, "
    "c.payload->>'workspace_id' AS workspace FROM intercom_messages m "
    f"{WRITTEN_BY} "
    "JOIN mentioned n ON n.email = c.email_key WHERE m.mentions_cancel AND m.created_at BETWEEN $1 AND $2 "
    "ORDER BY c.email_key, m.created_at DESC, m.conversation_id DESC, m.message_id DESC"
)


@dataclass(frozen=True)
class Backlog:
    """Undelivered alerts: those pending, and those dead-lettered because Slack refuses their content."""

    pending: int
    dead_lettered: int
    last_refusal: str = ""


def enqueue(session: Session, alerts: pl.DataFrame, run: SyncRun) -> None:
    """Enqueue a write's alerts (`kind`, `email`, `details`) in the transaction of that write."""
    session.stage("customer_news", alerts.select("kind", "email", "details"))
    session.execute(
        "INSERT INTO customer_alerts (kind, email, details, run, created_at) "
        "SELECT kind, email, details::json, $1, $2 FROM customer_news ORDER BY email, kind",
        run.id,
        run.as_of,
    )


def newest_mentions(session: Session, emails: pl.Series, since: datetime, until: datetime) -> dict[str, Mention]:
    """Return each customer's newest message that mentions cancelling; runs inside the caller's transaction."""
    contact_merges.create_merge_map(session)
    session.stage("mentioned", pl.DataFrame({"email": emails}))
    found = session.frame(_NEWEST_MENTIONS, since, until)
    return {email: Mention(*message) for email, *message in found.iter_rows()}


def enqueue_once(session: Session, incident: Incident) -> bool:
    """Enqueue an incident, deduplicated by its key; return whether it is new.

    Runs inside the caller's transaction.
    """
    inserted = session.value(
        "INSERT INTO customer_alerts (kind, details, run, created_at, dedupe_key) "
        "SELECT $1, $2::text::json, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM customer_alerts WHERE dedupe_key = $5) "
        "ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING 1",
        incident.kind,
        json.dumps(incident.details),
        incident.run_id,
        incident.at,
        incident.key,
    )
    return inserted is not None


def was_enqueued(session: Session, kind: str, since: datetime, now: datetime) -> bool:
    """Return whether an alert of a kind was enqueued since an instant. Runs inside the caller's transaction."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM customer_alerts WHERE kind = $1 AND created_at BETWEEN $2 AND $3)",
            kind,
            since,
            now + TOLERANCE,
        )
    )


def try_lock(session: Session) -> bool:
    """Try to take the delivery lock, held until the session releases its locks; return False if it is taken."""
    with session.transaction():
        return bool(
            session.value("SELECT pg_try_advisory_lock(hashtext('intercom_sync.deliver'), hashtext(current_schema()))")
        )


def await_delivery(session: Session) -> None:
    """Wait for the delivery lock and hold it until the caller's transaction ends."""
    session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.deliver'), hashtext(current_schema()))::text")


def pending(session: Session) -> list[Alert]:
    """Return the oldest pending alerts, in the order in which they were enqueued."""
    with session.transaction():
        rows = session.frame(
            "SELECT id, kind, email, details::text AS details, run AS run_id, created_at, refusal_count "
            "FROM customer_alerts "
            f"WHERE delivered_at IS NULL AND refusal_count < {MAX_REFUSALS} ORDER BY id LIMIT {_MAX_ALERTS}"
        )
    return [Alert(**row | {"details": json.loads(row["details"])}) for row in rows.iter_rows(named=True)]


def backlog(session: Session) -> Backlog:
    """Count undelivered alerts."""
    dead_lettered = f"FILTER (WHERE refusal_count >= {MAX_REFUSALS})"
    with session.transaction():
        row = session.frame(
            f"SELECT count(*) FILTER (WHERE refusal_count < {MAX_REFUSALS}) AS pending, "
            f"count(*) {dead_lettered} AS dead_lettered, "
            "(array_agg('customer_alerts ' || id || ': ' || last_error ORDER BY id DESC) "
            f"{dead_lettered})[1] AS last_refusal FROM customer_alerts WHERE delivered_at IS NULL"
        ).row(0, named=True)
    return Backlog(row["pending"], row["dead_lettered"], row["last_refusal"] or "")


def mark_delivered(session: Session, ids: Sequence[int], at: datetime) -> None:
    """Mark the alerts of one message as delivered."""
    with session.transaction():
        session.execute(
            "UPDATE customer_alerts SET delivered_at = $1, attempts = attempts + 1, last_error = NULL "
            f"WHERE id = ANY({_IDS.format(2)})",
            at,
            _id_list(ids),
        )


def mark_failed(session: Session, ids: Sequence[int], error: str, refused: bool) -> None:
    """Record a failed delivery of one message, and whether Slack refused its content."""
    with session.transaction():
        session.execute(
            "UPDATE customer_alerts SET attempts = attempts + 1, last_error = $1, "
            f"refusal_count = refusal_count + $2::bigint::integer WHERE id = ANY({_IDS.format(3)})",
            error,
            int(refused),
            _id_list(ids),
        )


def _id_list(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))
