"""Land conversations and the messages that contacts wrote in them.

A conversation is upserted like a contact: the newest version wins. Conversation parts need one request per
conversation, so landing marks a row as `parts_pending` until its parts have been fetched.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import polars as pl

from intercom_sync.domain.cancel_mentions import mentions_cancel
from intercom_sync.domain.conversations import Conversation, Message
from intercom_sync.domain.fetched_parts import FetchedParts
from intercom_sync.domain.messages import OPENING
from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import RECENT_DAYS, Rules, text_version
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.landing.land_contacts import LandingContext, landing_lock, upsert_rejected, upsert_sql
from intercom_sync.warehouse.postgres.frames import attributes, column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session

_NOT_PARSED = {"parts_fetched_version", "parts_pending", "parts_missing", "landed_at"}
_PARSED = tuple(name for name in tables.INTERCOM_CONVERSATIONS.names if name not in _NOT_PARSED)
_LAND = upsert_sql(tables.INTERCOM_CONVERSATIONS, (*_PARSED, "parts_pending"), "landing_conversation")
# Staged conversations whose version is the stored one; messages of an older version are not landed.
_CURRENT = (
    "SELECT v.id FROM intercom_conversations v JOIN landing_conversation s ON s.id = v.id "
    "WHERE v.updated_at = CAST(s.updated_at AS timestamptz)"
)
_MESSAGES = tables.INTERCOM_MESSAGES.names

# The opening message is kept if the response does not say who opened the conversation. If a conversation has more parts
# than Intercom returns, older stored parts are kept.
_DELETE_REPLACED = (
    "DELETE FROM intercom_messages m USING fetched_parts f WHERE f.id = m.conversation_id AND CASE "
    f"WHEN m.message_id = '{OPENING}' THEN f.source_known ELSE f.parts_missing = 0 OR m.created_at >= f.created_at END"
)


def land_conversations(
    session: Session,
    batch: ParsedBatch[Conversation],
    pending: Collection[str],
    landing: LandingContext,
) -> None:
    """Land a parsed batch of conversations with their opening messages. Runs inside the caller's transaction.

    Args:
        session: the warehouse.
        batch: the conversations.
        pending: the ids of those whose parts must be fetched.
        landing: the run, and the rules of the workspace.
    """
    landing_lock(session, RecordKind.CONVERSATION)
    conversations = [conversation for conversation, _ in batch.valid.values()]
    values = attributes(conversations, _PARSED)
    values["parts_pending"] = [one.id in pending for one in conversations]
    session.stage("landing_conversation", frame_of(tables.INTERCOM_CONVERSATIONS, values))
    session.execute(_LAND)
    current = set(session.frame(_CURRENT)["id"])
    # A version that does not say who opened the conversation does not mean that the opening message was deleted.
    openings = {one.id: one.messages for one in conversations if one.id in current and one.source_known}
    _delete_openings(session, [id for id, messages in openings.items() if not messages])
    _land_messages(session, (one for messages in openings.values() for one in messages), landing.rules, landing.as_of)
    upsert_rejected(session, RecordKind.CONVERSATION, batch, landing)


def request_text_again(session: Session, as_of: datetime) -> None:
    """Mark recent conversations to have their parts fetched again, if stored messages were read by other text rules.

    Text that the other rules dropped is not stored, so it must be fetched. That includes conversations without a stored
    message, in which the other rules may have found no text. Runs inside the caller's transaction.
    """
    current = text_version()
    if not session.value(
        "SELECT EXISTS (SELECT FROM intercom_messages WHERE NOT starts_with(rules_hash, $1))", current
    ):
        return
    landing_lock(session, RecordKind.CONVERSATION)
    session.execute(
        "UPDATE intercom_conversations SET parts_fetched_version = NULL, parts_pending = TRUE WHERE updated_at >= $1",
        as_of - timedelta(days=RECENT_DAYS),
    )
    session.execute("UPDATE intercom_messages SET rules_hash = $1 WHERE NOT starts_with(rules_hash, $1)", current)


def rejected_by_other_rules(session: Session, rules_hash: str) -> list[str]:
    """Return the conversations that other rules rejected; their JSON is not stored, so they must be fetched again."""
    found = session.frame(
        "SELECT id FROM rejected_records WHERE kind = 'conversation' AND rules_hash <> $1 "
        "AND NOT starts_with(id, 'sha256:') ORDER BY id",
        rules_hash,
    )
    return list(found["id"])


def mark_revalidated(session: Session, ids: Iterable[str], rules_hash: str) -> None:
    """Record that rejected conversations were validated by the current rules. Runs inside the caller's transaction."""
    session.stage("revalidated", frame_of(tables.INTERCOM_CONVERSATIONS, {"id": ids}))
    session.execute(
        "UPDATE rejected_records r SET rules_hash = $1 FROM revalidated v "
        "WHERE r.kind = 'conversation' AND r.id = v.id",
        rules_hash,
    )


def pending_parts(session: Session) -> list[str]:
    """Return the conversations with pending parts, newest first, including those that failed in earlier runs."""
    found = session.frame("SELECT id FROM intercom_conversations WHERE parts_pending ORDER BY updated_at DESC, id")
    return list(found["id"])


def with_parts(session: Session, most: int = 3) -> list[str]:
    """Return a few conversations whose last fetch of parts succeeded, newest first."""
    found = session.frame(
        "SELECT id FROM intercom_conversations WHERE parts_fetched_version IS NOT NULL AND NOT parts_pending "
        f"ORDER BY updated_at DESC, id LIMIT {most}"
    )
    return list(found["id"])


def land_parts(session: Session, fetched: Collection[FetchedParts], rules: Rules, as_of: datetime) -> None:
    """Land the messages of fetched conversations, replacing the stored ones. Runs inside the caller's transaction."""
    landing_lock(session, RecordKind.CONVERSATION)
    _stage_fetched(session, fetched)
    session.execute(
        "UPDATE intercom_conversations v SET parts_fetched_version = COALESCE(f.parts_fetched_version, v.updated_at), "
        "parts_missing = f.parts_missing, parts_pending = FALSE FROM fetched_parts f WHERE f.id = v.id"
    )
    session.execute(_DELETE_REPLACED)
    _land_messages(session, (message for one in fetched for message in one.messages), rules, as_of)


def _stage_fetched(session: Session, fetched: Collection[FetchedParts]) -> None:
    values: dict[str, Iterable[object]] = {
        "id": [one.conversation_id for one in fetched],
        "parts_fetched_version": [one.updated_at for one in fetched],
        "parts_missing": [one.missing for one in fetched],
        "created_at": [one.oldest_at for one in fetched],
    }
    known = pl.Series([one.source_known for one in fetched], dtype=pl.Boolean)
    session.stage("fetched_parts", frame_of(tables.INTERCOM_CONVERSATIONS, values).with_columns(source_known=known))


def clear_pending_parts(session: Session, ids: Iterable[str]) -> None:
    """Clear the pending parts of conversations that vanished from Intercom. Runs inside the caller's transaction."""
    landing_lock(session, RecordKind.CONVERSATION)
    session.stage("vanished", frame_of(tables.INTERCOM_CONVERSATIONS, {"id": ids}))
    session.execute("UPDATE intercom_conversations v SET parts_pending = FALSE FROM vanished g WHERE g.id = v.id")


def fetched_versions(session: Session, ids: Iterable[str]) -> dict[str, tuple[int, bool]]:
    """Return for each conversation with fetched parts the fetched version, and whether parts are stored.

    Holds the landing lock until the caller's transaction ends.
    """
    landing_lock(session, RecordKind.CONVERSATION)
    session.stage("looked_up", frame_of(tables.INTERCOM_CONVERSATIONS, {"id": ids}))
    found = session.frame(
        "SELECT v.id, extract(epoch FROM v.parts_fetched_version)::bigint AS version, EXISTS ("
        f"SELECT FROM intercom_messages m WHERE m.conversation_id = v.id AND m.message_id <> '{OPENING}') "
        "AS has_parts_stored "
        "FROM intercom_conversations v JOIN looked_up l ON l.id = v.id WHERE v.parts_fetched_version IS NOT NULL"
    )
    return {id: (version, stored) for id, version, stored in found.iter_rows()}


def _delete_openings(session: Session, ids: Iterable[str]) -> None:
    """Delete the opening messages of conversations whose newest version has none, for example after a redaction."""
    session.stage("silent", frame_of(tables.INTERCOM_CONVERSATIONS, {"id": ids}))
    session.execute(
        f"DELETE FROM intercom_messages m USING silent s WHERE s.id = m.conversation_id AND m.message_id = '{OPENING}'"
    )


def _land_messages(session: Session, messages: Iterable[Message], rules: Rules, as_of: datetime) -> None:
    since = int((as_of - timedelta(days=RECENT_DAYS)).timestamp())
    rules_hash = rules.message_rules_hash()
    kept = list({(m.conversation_id, m.message_id): m for m in messages if m.created_at >= since}.values())
    if not kept:
        return
    values = attributes(kept, (name for name in _MESSAGES if name not in {"mentions_cancel", "rules_hash"}))
    values["mentions_cancel"] = [mentions_cancel(message.text, rules.cancel_words) for message in kept]
    values["rules_hash"] = [rules_hash] * len(kept)
    session.stage("landing_message", frame_of(tables.INTERCOM_MESSAGES, values))
    session.execute(
        f"INSERT INTO intercom_messages ({column_list(_MESSAGES)}) "
        f"SELECT {column_list(_MESSAGES)} FROM landing_message ORDER BY conversation_id, message_id "
        "ON CONFLICT (conversation_id, message_id) DO UPDATE SET author_id = EXCLUDED.author_id, "
        "created_at = EXCLUDED.created_at, text = EXCLUDED.text, mentions_cancel = EXCLUDED.mentions_cancel, "
        "rules_hash = EXCLUDED.rules_hash"
    )
