"""How long words are kept: nothing of what a contact wrote outlives the days that the rules need it for.

Messages go as a whole. Of an alert that quotes one the quotation goes, told or not; its link to the conversation stays.
Of a refused conversation only the value that breaks a rule is kept (see `land`), and no longer either where it can hold
words.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.alerts import CANCEL_MENTION
from intercom_sync.domain.rules import RECENT_DAYS
from intercom_sync.warehouse.land import alone
from intercom_sync.warehouse.session import Session

_UNQUOTE = (
    "UPDATE customer_alerts SET details = (details::jsonb - 'excerpt')::json "
    f"WHERE kind = '{CANCEL_MENTION}' AND details->>'excerpt' IS NOT NULL "
    "AND CAST(details->>'said_at' AS timestamptz) < $1"
)
VOID = (
    "UPDATE rejected_records SET value = NULL WHERE kind = 'conversation' "
    "AND json_typeof(value) IN ('string', 'array', 'object')"
)
"""Lets go of all values of refused conversations that can hold words."""


def drop_old_words(session: Session, now: datetime) -> None:
    """Drop what was written more than 30 days before an instant; runs inside the caller's transaction."""
    alone(session, "conversation")
    since = now - timedelta(days=RECENT_DAYS)
    session.execute("DELETE FROM intercom_messages WHERE created_at < $1", since)
    session.execute(_UNQUOTE, since)
    session.execute(f"{VOID} AND time < $1", since)
