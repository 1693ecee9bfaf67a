"""Refresh `support_metrics` as of an instant: conversation counts, cancel mentions and ratings per customer."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial

import polars as pl

from intercom_sync.domain.cancel_mentions import mentions_cancel
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema import tables
from intercom_sync.domain.support import compute_support
from intercom_sync.warehouse.landing import contact_merges
from intercom_sync.warehouse.landing.contact_merges import WRITTEN_BY
from intercom_sync.warehouse.marts.key_ranges import Frames, KeyRanges, key_ranges
from intercom_sync.warehouse.postgres.frames import cast_list, cast_numeric, column_list, select_list
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.privacy.retention import purge_expired_messages

_COLUMNS = tables.SUPPORT_METRICS.names
_CHUNK_ROWS = 20_000
_CONVERSATIONS = (
    # Unnested in the select list, not in a lateral join: the planner then estimates the rows well and uses a hash join.
    "(SELECT id, created_at, open, cardinality(contact_ids) AS contacts, rating, rating_contact_id, "
    "unnest(contact_ids) AS contact_id FROM intercom_conversations WHERE {part})"
)
_PARTICIPATIONS = (
    "SELECT v.email_key, v.id AS conversation_id, v.created_at, v.open, v.contacts, v.rating::smallint AS rating, "
    "v.rating_contact_id IS NOT NULL AS rating_named, "
    # A subquery for the few rated group conversations, because a join would scan all contacts once more.
    "CASE WHEN v.rating IS NOT NULL AND v.contacts > 1 THEN (SELECT rc.email_key FROM intercom_contacts rc WHERE rc.id "
    "= COALESCE((SELECT ra.contact_id FROM merged_away ra WHERE ra.id = v.rating_contact_id), v.rating_contact_id)) "
    "END AS rating_email_key FROM ("
    f"SELECT t.*, c.email_key FROM {_CONVERSATIONS} t JOIN intercom_contacts c ON c.id = t.contact_id "
    # Contacts merged since then, separately for the same reason.
    f"UNION ALL SELECT t.*, c.email_key FROM merged_away a JOIN {_CONVERSATIONS} t ON t.contact_id = a.id "
    "JOIN intercom_contacts c ON c.id = a.contact_id) v WHERE v.email_key IS NOT NULL"
)
_MENTIONS = (
    "SELECT c.email_key, m.created_at FROM intercom_messages m "
    f"{WRITTEN_BY} "
    "WHERE m.mentions_cancel AND c.email_key IS NOT NULL AND {condition}"
)
_STORED = f"SELECT {select_list(tables.SUPPORT_METRICS)} FROM support_metrics WHERE {{condition}}"
_UPSERT = (
    f"INSERT INTO support_metrics ({column_list(_COLUMNS)}) "
    f"SELECT {cast_list(tables.SUPPORT_METRICS, _COLUMNS)} FROM computed_support "
    f"ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _COLUMNS[1:])}"
)


def refresh_support(session: Session, rules: Rules, now: datetime, earliest_now: datetime | None = None) -> int:
    """Refresh the support metrics of every customer.

    Expired message texts are deleted first, and messages that were searched under other rules are searched again.

    Args:
        session: the warehouse.
        rules: the rules of the workspace.
        now: the instant that the metrics are computed for.
        earliest_now: the instant that retention is computed from if it is earlier than `now`; None if unknown.

    Returns:
        The number of customers with support metrics.
    """
    with session.transaction():
        _lock_table(session)
        purge_expired_messages(session, min(now, earliest_now or now))
        _search_messages_again(session, rules)
    with session.transaction():
        _lock_table(session)
        return refresh_support_in_transaction(session, now, parallel_reads=True)


def refresh_support_in_transaction(session: Session, now: datetime, *, parallel_reads: bool) -> int:
    """Refresh the support metrics of every customer, from messages that are searched already.

    Runs inside the caller's transaction, which has locked the table.

    Args:
        session: the session of the transaction.
        now: the instant that the metrics are computed for.
        parallel_reads: whether parallel sessions may prefetch, see `KeyRanges.iter_prefetched`.

    Returns:
        The number of customers with support metrics.
    """
    ranges = key_ranges(session)
    parts = ranges.parts(session, "intercom_conversations")
    readers = [partial(_read_participations, ranges=ranges, part=part) for part in parts]
    readers.append(partial(_read_mentions_and_stored, ranges=ranges))
    with ranges.iter_prefetched(session, readers, parallel_reads=parallel_reads) as inputs:
        return sum(
            _upsert_changed(session, compute_support(pl.concat(participations), mentions, now), stored)
            for *participations, mentions, stored in inputs
        )


def support_totals(session: Session) -> dict[str, int | float | None]:
    """Return metadata: customers with cancel mentions, with open tickets and with a CSAT score, and the mean score."""
    with session.transaction():
        return session.frame(
            "SELECT count(*) FILTER (WHERE mentioned_cancel) AS customers_mentioning_cancel, "
            "count(*) FILTER (WHERE open_tickets > 0) AS customers_with_open_tickets, "
            "avg(csat_score)::float8 AS avg_csat_score, count(csat_score) AS customers_with_csat_score "
            "FROM support_metrics"
        ).row(0, named=True)


def _lock_table(session: Session) -> None:
    """Lock the table against other writers, so that a run cannot overwrite metrics of a later instant."""
    session.execute("LOCK TABLE support_metrics IN SHARE ROW EXCLUSIVE MODE")


def _read_participations(session: Session, ranges: KeyRanges, part: str) -> Iterator[Frames]:
    contact_merges.create_merge_map(session)
    return ((participations,) for participations in ranges.rows(session, _PARTICIPATIONS.format(part=part)))


def _read_mentions_and_stored(session: Session, ranges: KeyRanges) -> Iterator[Frames]:
    """Return the cancel mentions and the stored metrics by key range."""
    # Not inside the generator: a session that reads everything itself has open cursors on the table by then.
    contact_merges.create_merge_map(session)
    return _iter_mentions_and_stored(session, ranges)


def _iter_mentions_and_stored(session: Session, ranges: KeyRanges) -> Iterator[Frames]:
    for key_range in ranges:
        key_range.bind(session)
        mentions = session.frame(_MENTIONS.format(condition=key_range.condition("c.email_key")))
        stored = session.frame(_STORED.format(condition=key_range.condition("email_key")))
        yield mentions, cast_numeric(stored, tables.SUPPORT_METRICS)


def _upsert_changed(session: Session, computed: pl.DataFrame, stored: pl.DataFrame) -> int:
    """Upsert changed metrics and delete those of customers without any; return the number of computed rows."""
    changed = computed.join(stored, on=list(_COLUMNS), how="anti", nulls_equal=True)
    deleted = stored.join(computed, on="email_key", how="anti").select("email_key")
    session.stage("computed_support", changed.select(_COLUMNS))
    session.execute(_UPSERT)
    session.stage("gone_support", deleted)
    session.execute("DELETE FROM support_metrics s USING gone_support g WHERE s.email_key = g.email_key")
    return computed.height


def _search_messages_again(session: Session, rules: Rules) -> None:
    """Search the messages whose stored rules hash is not the current one."""
    rules_hash = rules.message_rules_hash()
    while True:
        stale = session.frame(
            "SELECT conversation_id, message_id, text FROM intercom_messages "
            f"WHERE rules_hash <> $1 LIMIT {_CHUNK_ROWS}",
            rules_hash,
        )
        if stale.is_empty():
            return
        mentions = [mentions_cancel(text, rules.cancel_words) for text in stale["text"]]
        session.stage("searched", stale.select("conversation_id", "message_id", mentions=pl.Series(mentions)))
        session.execute(
            "UPDATE intercom_messages m SET mentions_cancel = s.mentions, rules_hash = $1 FROM searched s "
            "WHERE m.conversation_id = s.conversation_id AND m.message_id = s.message_id",
            rules_hash,
        )
