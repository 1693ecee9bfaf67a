"""How long words are kept: nothing of what a contact wrote outlives the days that the rules need it for.

Messages go as a whole. Of an alert that quotes one the quotation goes, told or not; its link to the conversation stays.
Of a refused conversation only the value that breaks a rule is kept (see `land`), and no longer either where it can hold
words.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.alerts import CANCEL_MENTION
from intercom_sync.domain.rules import RECENT_DAYS
from intercom_sync.warehouse.landing.land_contacts import landing_lock
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import workspace_state

_UNQUOTE = (
    "UPDATE customer_alerts SET details = (details::jsonb - 'excerpt')::json "
    f"WHERE kind = '{CANCEL_MENTION}' AND details->>'excerpt' IS NOT NULL "
    "AND CAST(details->>'said_at' AS timestamptz) < $1"
)
CLEAR_REJECTED_VALUES = (
    "UPDATE rejected_records SET value = NULL WHERE kind = 'conversation' "
    "AND json_typeof(value) IN ('string', 'array', 'object')"
)
"""Lets go of all values of refused conversations that can hold words."""
_RECENT = timedelta(days=RECENT_DAYS)
# A conversation that did not change since then holds no message of the time, nor does one that began after it.
_FETCH_AGAIN = (
    "UPDATE intercom_conversations SET parts_fetched_version = NULL, parts_pending = TRUE "
    "WHERE updated_at >= $1 AND created_at < $2"
)


def note_messages_since(session: Session) -> None:
    """Note from when on messages are kept, where no sync has; runs inside the caller's transaction.

    Syncs of earlier versions deleted by their own instant, whatever the clock said.
    """
    if workspace_state.messages_since(session) is None:
        latest: datetime | None = session.value("SELECT max(as_of) FROM sync_runs")
        if latest is not None:
            workspace_state.store_messages_since(session, latest - _RECENT)


def keep_messages(session: Session, as_of: datetime, earliest_now: datetime) -> None:
    """Have the messages that a sync at an instant needs, and no older ones; runs inside the caller's transaction.

    Where syncs at later instants did without messages that this one needs, they are fetched again.

    Args:
        session: the warehouse.
        as_of: the instant; messages of the 30 days before it are needed.
        earliest_now: messages older than 30 days at this instant are deleted.
    """
    needed, kept = as_of - _RECENT, workspace_state.messages_since(session)
    if kept is not None and kept > needed:
        landing_lock(session, "conversation")
        session.execute(_FETCH_AGAIN, needed, kept)
    purge_expired_messages(session, min(as_of, earliest_now))
    workspace_state.store_messages_since(session, needed)


def purge_expired_messages(session: Session, now: datetime) -> None:
    """Drop what was written more than 30 days before an instant; runs inside the caller's transaction."""
    landing_lock(session, "conversation")
    since = now - _RECENT
    session.execute("DELETE FROM intercom_messages WHERE created_at < $1", since)
    session.execute(_UNQUOTE, since)
    session.execute(f"{CLEAR_REJECTED_VALUES} AND time < $1", since)
