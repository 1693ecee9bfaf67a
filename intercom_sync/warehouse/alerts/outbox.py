"""The outbox `customer_alerts`: what people must hear of, kept until Slack has taken it.

Whether something is news is decided by `domain.alerts` and `domain.incidents`; sending belongs to `slack`, and the two
come together in `pipeline.alert_delivery`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import polars as pl

from intercom_sync.domain.alerts import CANCEL_MENTION, Alert
from intercom_sync.domain.cancel_mentions import Mention, mention_evidence
from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.domain.incidents import Incident
from intercom_sync.domain.rules import DAY, RECENT_DAYS, Rules
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.landing.contact_merges import WRITTEN_BY
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import SyncRun

MAX_REFUSALS = 3
"""So often Slack may refuse an alert for what it says."""

_MAX_ALERTS = 50_000
# The quickest way to name rows: the shorter a message that Slack has taken is not noted, the better.
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
    """What has not been delivered: alerts that wait, and those set aside because Slack refuses what they say."""

    pending: int
    dead_lettered: int
    last_refusal: str = ""


def enqueue(session: Session, alerts: pl.DataFrame, run: SyncRun, rules: Rules) -> None:
    """Put a write's alerts (`kind`, `email`, `details`) into the outbox; runs inside the transaction of the write.

    A cancel mention gets its evidence here: the customer's newest message of the last 30 days that speaks of it.
    """
    mentioned = alerts.filter(pl.col("kind") == CANCEL_MENTION)
    found = _evidence(session, mentioned, run.as_of, rules)
    told = [
        (kind, email, _with(details, found.get(email)) if kind == CANCEL_MENTION else details)
        for kind, email, details in alerts.select("kind", "email", "details").iter_rows()
    ]
    session.stage("customer_news", pl.DataFrame(told, schema=dict.fromkeys(("kind", "email", "details"), pl.String),
                                                orient="row"))  # fmt: skip
    session.execute(
        "INSERT INTO customer_alerts (kind, email, details, run, created_at) "
        "SELECT kind, email, details::json, $1, $2 FROM customer_news ORDER BY email, kind",
        run.id,
        run.as_of,
    )


def enqueue_once(session: Session, news: Incident) -> bool:
    """Put something besides customers into the outbox, unless its key is there; say whether it is new.

    Runs inside the caller's transaction.
    """
    put_in = session.value(
        "INSERT INTO customer_alerts (kind, details, run, created_at, dedupe_key) "
        "SELECT $1, $2::text::json, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM customer_alerts WHERE dedupe_key = $5) "
        "ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING RETURNING 1",
        news.kind,
        json.dumps(news.details),
        news.run_id,
        news.at,
        news.key,
    )
    return put_in is not None


def was_enqueued(session: Session, kind: str, since: datetime, now: datetime) -> bool:
    """Whether an alert of a kind was put in since an instant; runs inside the caller's transaction."""
    return bool(
        session.value(
            "SELECT EXISTS (SELECT FROM customer_alerts WHERE kind = $1 AND created_at BETWEEN $2 AND $3)",
            kind,
            since,
            now + TOLERANCE,
        )
    )


def try_lock(session: Session) -> bool:
    """Become the only one that delivers, until the session lets go of its locks; False when another process does."""
    with session.transaction():
        return bool(
            session.value("SELECT pg_try_advisory_lock(hashtext('intercom_sync.deliver'), hashtext(current_schema()))")
        )


def await_delivery(session: Session) -> None:
    """Wait until nobody delivers, and let nobody begin before the caller's transaction ends."""
    session.value("SELECT pg_advisory_xact_lock(hashtext('intercom_sync.deliver'), hashtext(current_schema()))::text")


def pending(session: Session) -> list[Alert]:
    """Return the oldest alerts that wait for delivery, in order of decision."""
    with session.transaction():
        rows = session.frame(
            "SELECT id, kind, email, details::text AS details, run AS run_id, created_at, refusal_count "
            "FROM customer_alerts "
            f"WHERE delivered_at IS NULL AND refusal_count < {MAX_REFUSALS} ORDER BY id LIMIT {_MAX_ALERTS}"
        )
    return [Alert(**row | {"details": json.loads(row["details"])}) for row in rows.iter_rows(named=True)]


def backlog(session: Session) -> Backlog:
    """Count what has not been delivered."""
    aside = f"FILTER (WHERE refusal_count >= {MAX_REFUSALS})"
    with session.transaction():
        row = session.frame(
            f"SELECT count(*) FILTER (WHERE refusal_count < {MAX_REFUSALS}) AS waiting, count(*) {aside} AS set_aside, "
            f"(array_agg('customer_alerts ' || id || ': ' || last_error ORDER BY id DESC) {aside})[1] AS last_refusal "
            "FROM customer_alerts WHERE delivered_at IS NULL"
        ).row(0, named=True)
    return Backlog(row["waiting"], row["set_aside"], row["last_refusal"] or "")


def mark_delivered(session: Session, ids: Sequence[int], at: datetime) -> None:
    """Note that Slack has taken the alerts of one message."""
    with session.transaction():
        session.execute(
            "UPDATE customer_alerts SET delivered_at = $1, attempts = attempts + 1, last_error = NULL "
            f"WHERE id = ANY({_IDS.format(2)})",
            at,
            _listed(ids),
        )


def mark_failed(session: Session, ids: Sequence[int], error: str, refused: bool) -> None:
    """Note that a message was tried and not taken, and whether that is for what it says."""
    with session.transaction():
        session.execute(
            "UPDATE customer_alerts SET attempts = attempts + 1, last_error = $1, "
            f"refusal_count = refusal_count + $2::bigint::integer WHERE id = ANY({_IDS.format(3)})",
            error,
            int(refused),
            _listed(ids),
        )


def _listed(ids: Sequence[int]) -> str:
    return ",".join(map(str, ids))


def _evidence(session: Session, mentioned: pl.DataFrame, now: datetime, rules: Rules) -> dict[str, dict[str, object]]:
    if mentioned.is_empty():
        return {}
    contact_merges.create_merge_map(session)
    session.stage("mentioned", mentioned.select("email"))
    since = now - timedelta(seconds=RECENT_DAYS * DAY)
    found = session.frame(_NEWEST_MENTIONS, since, now)
    return {
        email: mention_evidence(Mention(*said), rules.cancel_words, rules.app) for email, *said in found.iter_rows()
    }


def _with(details: str, more: dict[str, object] | None) -> str:
    return orjson.dumps(json.loads(details) | (more or {})).decode()
