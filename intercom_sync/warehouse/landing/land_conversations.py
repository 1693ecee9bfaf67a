"""Land conversations, and the words that contacts wrote in them.

A conversation lands like a contact: the newest version wins. Its parts are fetched apart, one conversation at a time,
so landing also decides which ones still need that; the wish is kept in the row until the parts have come.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from intercom_sync.domain.cancel_mentions import mentions_cancel
from intercom_sync.domain.conversations import (
    Conversation,
    Message,
    needs_parts,
    parse_messages,
    parts_missing,
)
from intercom_sync.domain.messages import OPENING, oldest_part_at, opened_by_contact
from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.domain.parsing import InvalidRecordError, record_id, record_updated_at
from intercom_sync.domain.rules import RECENT_DAYS, Rules, text_version
from intercom_sync.domain.schema import tables
from intercom_sync.warehouse.landing.land_contacts import LandingContext, landing_lock, upsert_rejected, upsert_sql
from intercom_sync.warehouse.postgres.frames import column_list, frame_of
from intercom_sync.warehouse.postgres.session import Session

_CONVERSATIONS = (
    "id", "created_at", "updated_at", "open", "contact_ids", "rating", "rating_contact_id", "parts_pending",
)  # fmt: skip
_LAND = upsert_sql(tables.INTERCOM_CONVERSATIONS, _CONVERSATIONS, "landing_conversation")
# Of the staged ones those that stand now: an older version brings no words either.
_CURRENT = (
    "SELECT v.id FROM intercom_conversations v JOIN landing_conversation s ON s.id = v.id "
    "WHERE v.updated_at = CAST(s.updated_at AS timestamptz)"
)
_MESSAGES = tables.INTERCOM_MESSAGES.names
_FETCHED = ("id", "parts_fetched_version", "parts_missing", "created_at")  # created_at: of the oldest part returned

# An opening message stays where the answer does not say who opened the conversation. Of a conversation with more parts
# than Intercom returns, the older ones stay: they were stored when they were returned.
_REPLACED = (
    "DELETE FROM intercom_messages m USING fetched_parts f WHERE f.id = m.conversation_id AND CASE "
    f"WHEN m.message_id = '{OPENING}' THEN f.source_known ELSE f.parts_missing = 0 OR m.created_at >= f.created_at END"
)


def land_conversations(
    session: Session, sifted: ParsedBatch[Conversation], rules: Rules, landing: LandingContext
) -> None:
    """Land sifted conversations with the opening messages they carry; runs inside the caller's transaction."""
    landing_lock(session, "conversation")
    fetched = _fetched_versions(session, list(sifted.valid))
    now = int(landing.as_of.timestamp())
    rows = [
        (*c[:4], list(c.contact_ids), c.rating, c.rating_contact_id, _needs_parts(c, fetched, now))
        for c, _ in sifted.valid.values()
    ]
    session.stage("landing_conversation", frame_of(tables.INTERCOM_CONVERSATIONS, _CONVERSATIONS, rows))
    session.execute(_LAND)
    current = set(session.frame(_CURRENT)["id"])
    # A version that does not say who opened the conversation is no sign that the opening message is gone.
    openings = {c.id: c.messages for c, _ in sifted.valid.values() if c.id in current and c.source_known}
    _delete_openings(session, [id for id, messages in openings.items() if not messages])
    _land_messages(session, (one for messages in openings.values() for one in messages), rules, landing.as_of)
    upsert_rejected(session, "conversation", sifted, landing)


def request_text_again(session: Session, as_of: datetime) -> None:
    """Ask for the parts of recent conversations once more where messages were read by other rules of their text.

    What the rules left out is not stored, so it is fetched. Conversations without a message are among them, for the
    other rules may have found no text there. Runs inside the caller's transaction.
    """
    current = text_version()
    if not session.value(
        "SELECT EXISTS (SELECT FROM intercom_messages WHERE NOT starts_with(rules_hash, $1))", current
    ):
        return
    landing_lock(session, "conversation")
    session.execute(
        "UPDATE intercom_conversations SET parts_fetched_version = NULL, parts_pending = TRUE WHERE updated_at >= $1",
        as_of - timedelta(days=RECENT_DAYS),
    )
    session.execute("UPDATE intercom_messages SET rules_hash = $1 WHERE NOT starts_with(rules_hash, $1)", current)


def rejected_by_other_rules(session: Session, rules: str) -> list[str]:
    """Return the rejected conversations that other rules judged; their JSON is not kept, so they must be fetched."""
    found = session.frame(
        "SELECT id FROM rejected_records WHERE kind = 'conversation' AND rules_hash <> $1 "
        "AND NOT starts_with(id, 'sha256:') ORDER BY id",
        rules,
    )
    return list(found["id"])


def note_judged(session: Session, ids: Iterable[str], rules: str) -> None:
    """Note that rejected conversations were judged by the present rules; runs inside the caller's transaction."""
    session.stage("judged", frame_of(tables.INTERCOM_CONVERSATIONS, ("id",), [(one,) for one in ids]))
    session.execute(
        "UPDATE rejected_records r SET rules_hash = $1 FROM judged j WHERE r.kind = 'conversation' AND r.id = j.id",
        rules,
    )


def pending_parts(session: Session) -> list[str]:
    """Return the conversations whose parts wait to be fetched, newest first, also those that earlier runs gave up."""
    found = session.frame("SELECT id FROM intercom_conversations WHERE parts_pending ORDER BY updated_at DESC, id")
    return list(found["id"])


def with_parts(session: Session, most: int = 3) -> list[str]:
    """Return some conversations whose parts came when they were last asked for, the newest first."""
    found = session.frame(
        "SELECT id FROM intercom_conversations WHERE parts_fetched_version IS NOT NULL AND NOT parts_pending "
        f"ORDER BY updated_at DESC, id LIMIT {most}"
    )
    return list(found["id"])


def land_parts(session: Session, details: Iterable[Any], rules: Rules, as_of: datetime) -> list[InvalidRecordError]:
    """Land fetched conversations' messages in place of those kept; runs inside the caller's transaction.

    Those that cannot be read (they changed since they were found, and broke) wait on; why is returned.
    """
    landing_lock(session, "conversation")
    rows: list[tuple[object, ...]] = []
    opened: list[bool] = []
    messages: list[Message] = []
    refused: list[InvalidRecordError] = []
    for detail in details:
        try:
            messages += parse_messages(detail)
            rows.append((record_id(detail), record_updated_at(detail), parts_missing(detail), oldest_part_at(detail)))
            opened.append(opened_by_contact(detail) is not None)
        except InvalidRecordError as rejection:
            refused.append(rejection)
    fetched = frame_of(tables.INTERCOM_CONVERSATIONS, _FETCHED, rows)
    session.stage("fetched_parts", fetched.with_columns(source_known=pl.Series(opened, dtype=pl.Boolean)))
    session.execute(
        "UPDATE intercom_conversations v SET parts_fetched_version = COALESCE(f.parts_fetched_version, v.updated_at), "
        "parts_missing = f.parts_missing, parts_pending = FALSE FROM fetched_parts f WHERE f.id = v.id"
    )
    session.execute(_REPLACED)
    _land_messages(session, messages, rules, as_of)
    return refused


def clear_pending_parts(session: Session, ids: Iterable[str]) -> None:
    """Note that conversations vanished before their parts were fetched; runs inside the caller's transaction."""
    landing_lock(session, "conversation")
    session.stage("vanished", frame_of(tables.INTERCOM_CONVERSATIONS, ("id",), [(one,) for one in ids]))
    session.execute("UPDATE intercom_conversations v SET parts_pending = FALSE FROM vanished g WHERE g.id = v.id")


def _needs_parts(conversation: Conversation, fetched: dict[str, tuple[int, bool]], now: int) -> bool:
    version, has_parts_stored = fetched.get(conversation.id, (None, False))
    return needs_parts(conversation, version, now, has_parts_stored=has_parts_stored)


def _fetched_versions(session: Session, ids: list[str]) -> dict[str, tuple[int, bool]]:
    """Return of each conversation whose parts were fetched their version, and whether any are stored."""
    session.stage("looked_up", frame_of(tables.INTERCOM_CONVERSATIONS, ("id",), [(one,) for one in ids]))
    found = session.frame(
        "SELECT v.id, extract(epoch FROM v.parts_fetched_version)::bigint AS version, EXISTS ("
        f"SELECT FROM intercom_messages m WHERE m.conversation_id = v.id AND m.message_id <> '{OPENING}') "
        "AS has_parts_stored "
        "FROM intercom_conversations v JOIN looked_up l ON l.id = v.id WHERE v.parts_fetched_version IS NOT NULL"
    )
    return {id: (version, stored) for id, version, stored in found.iter_rows()}


def _delete_openings(session: Session, ids: Iterable[str]) -> None:
    """Drop what opened conversations whose newest version has no such words any more, as when they were redacted."""
    session.stage("silent", frame_of(tables.INTERCOM_CONVERSATIONS, ("id",), [(one,) for one in ids]))
    session.execute(
        f"DELETE FROM intercom_messages m USING silent s WHERE s.id = m.conversation_id AND m.message_id = '{OPENING}'"
    )


def _land_messages(session: Session, messages: Iterable[Message], rules: Rules, as_of: datetime) -> None:
    since = int((as_of - timedelta(days=RECENT_DAYS)).timestamp())
    fingerprint = rules.message_rules_hash()
    kept = {
        (m.conversation_id, m.message_id): (*m, mentions_cancel(m.text, rules.cancel_words), fingerprint)
        for m in messages
        if m.created_at >= since
    }
    if not kept:
        return
    session.stage("landing_message", frame_of(tables.INTERCOM_MESSAGES, _MESSAGES, kept.values()))
    session.execute(
        f"INSERT INTO intercom_messages ({column_list(_MESSAGES)}) "
        f"SELECT {column_list(_MESSAGES)} FROM landing_message ORDER BY conversation_id, message_id "
        "ON CONFLICT (conversation_id, message_id) DO UPDATE SET author_id = EXCLUDED.author_id, "
        "created_at = EXCLUDED.created_at, text = EXCLUDED.text, mentions_cancel = EXCLUDED.mentions_cancel, "
        "rules_hash = EXCLUDED.rules_hash"
    )
