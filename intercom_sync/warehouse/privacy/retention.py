"""Retention of messages: text that a contact wrote is deleted after 30 days, the period for which the rules need it.

Expired messages are deleted. The excerpt in an alert is removed, whether the alert was delivered or not; its link to
the conversation stays. Of a rejected conversation only the invalid value is stored; it is removed too if it can contain
text.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.alerts import CANCEL_MENTION
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import RECENT_DAYS
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import workspace_state

_REMOVE_EXCERPTS = (
    "UPDATE customer_alerts SET details = (details::jsonb - 'excerpt')::json "
    f"WHERE kind = '{CANCEL_MENTION}' AND details->>'excerpt' IS NOT NULL "
    "AND CAST(details->>'said_at' AS timestamptz) < $1"
)
CLEAR_REJECTED_VALUES = (
    "UPDATE rejected_records SET value = NULL WHERE kind = 'conversation' "
    "AND json_typeof(value) IN ('string', 'array', 'object')"
)
"""Clears the values of rejected conversations that can contain text."""
_RETENTION = timedelta(days=RECENT_DAYS)
# A conversation last changed before the period, or created after it, has no message of the period.
_FETCH_AGAIN = (
    "UPDATE intercom_conversations SET parts_fetched_version = NULL, parts_pending = TRUE "
    "WHERE updated_at >= $1 AND created_at < $2"
)


def record_messages_since(session: Session) -> None:
    """Record since when messages are stored, if no sync has recorded it. Runs inside the caller's transaction.

    Earlier versions did not record it; they purged messages by the latest `as_of`.
    """
    if workspace_state.messages_since(session) is None:
        latest: datetime | None = session.value("SELECT max(as_of) FROM sync_runs")
        if latest is not None:
            workspace_state.store_messages_since(session, latest - _RETENTION)


def apply_retention(session: Session, as_of: datetime, earliest_now: datetime) -> None:
    """Purge expired messages, and mark those to be fetched again that a run for an earlier instant needs.

    Messages that runs for later instants purged are fetched again. Runs inside the caller's transaction.

    Args:
        session: the warehouse.
        as_of: the run's instant; messages of the 30 days before it are needed.
        earliest_now: messages older than 30 days at this instant are purged.
    """
    needed_since, stored_since = as_of - _RETENTION, workspace_state.messages_since(session)
    if stored_since is not None and stored_since > needed_since:
        landing_lock(session, RecordKind.CONVERSATION)
        session.execute(_FETCH_AGAIN, needed_since, stored_since)
    purge_expired_messages(session, min(as_of, earliest_now))
    workspace_state.store_messages_since(session, needed_since)


def purge_expired_messages(session: Session, now: datetime) -> None:
    """Delete messages, excerpts and values written more than 30 days before an instant.

    Runs inside the caller's transaction.
    """
    landing_lock(session, RecordKind.CONVERSATION)
    since = now - _RETENTION
    session.execute("DELETE FROM intercom_messages WHERE created_at < $1", since)
    session.execute(_REMOVE_EXCERPTS, since)
    session.execute(f"{CLEAR_REJECTED_VALUES} AND time < $1", since)
