"""Keep `support_metrics` right at an instant: counts, mentions and ratings per customer, from what has landed."""

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
_CHUNK = 20_000
_CONVERSATIONS = (
    # Unnested here and not beside: the planner then knows how many rows come, and joins them by hash.
    "(SELECT id, created_at, open, cardinality(contact_ids) AS contacts, rating, rating_contact_id, "
    "unnest(contact_ids) AS contact_id FROM intercom_conversations WHERE {part})"
)
_TAKING_PART = (
    "SELECT v.email_key, v.id AS conversation_id, v.created_at, v.open, v.contacts, v.rating::smallint AS rating, "
    "v.rating_contact_id IS NOT NULL AS rating_named, "
    # Asked of the few that are rated in a group, not joined: a join would go through all contacts once more.
    "CASE WHEN v.rating IS NOT NULL AND v.contacts > 1 THEN (SELECT rc.email_key FROM intercom_contacts rc WHERE rc.id "
    "= COALESCE((SELECT ra.contact_id FROM merged_away ra WHERE ra.id = v.rating_contact_id), v.rating_contact_id)) "
    "END AS rating_email_key FROM ("
    f"SELECT t.*, c.email_key FROM {_CONVERSATIONS} t JOIN intercom_contacts c ON c.id = t.contact_id "
    # The few who were merged since, apart for the same reason.
    f"UNION ALL SELECT t.*, c.email_key FROM merged_away a JOIN {_CONVERSATIONS} t ON t.contact_id = a.id "
    "JOIN intercom_contacts c ON c.id = a.contact_id) v WHERE v.email_key IS NOT NULL"
)
_MENTIONS = (
    "SELECT c.email_key, m.created_at FROM intercom_messages m "
    f"{WRITTEN_BY} "
    "WHERE m.mentions_cancel AND c.email_key IS NOT NULL AND {bucket}"
)
_STORED = f"SELECT {select_list(tables.SUPPORT_METRICS)} FROM support_metrics WHERE {{bucket}}"
_PUT = (
    f"INSERT INTO support_metrics ({column_list(_COLUMNS)}) "
    f"SELECT {cast_list(tables.SUPPORT_METRICS, _COLUMNS)} FROM computed_support "
    f"ON CONFLICT (email_key) DO UPDATE SET {', '.join(f'{c} = EXCLUDED.{c}' for c in _COLUMNS[1:])}"
)


def refresh_support(session: Session, rules: Rules, now: datetime, earliest_now: datetime | None = None) -> int:
    """Compute every customer's support metrics at an instant; return how many customers have any.

    Message text that the rules no longer need is dropped first, and messages that other words were searched in are
    searched again.

    Args:
        session: the warehouse.
        rules: the rules of the workspace.
        now: the instant.
        earliest_now: the instant that deletion goes by where it is earlier; None where it is not known.
    """
    with session.transaction():
        _lock_tables(session)
        purge_expired_messages(session, min(now, earliest_now or now))
        _search_again(session, rules)
    with session.transaction():
        _lock_tables(session)
        return refresh_support_in_transaction(session, now, parallel_reads=True)


def refresh_support_in_transaction(session: Session, now: datetime, *, parallel_reads: bool) -> int:
    """Do the same for messages that were searched; runs inside the caller's transaction, which holds the table.

    `parallel_reads` says whether a session beside may read what it is made of, as in `KeyRanges.iter_prefetched`.
    """
    cut = key_ranges(session)
    parts = [partial(_taking_part, cut=cut, part=part) for part in cut.parts(session, "intercom_conversations")]
    with cut.iter_prefetched(session, [*parts, partial(_others, cut=cut)], parallel_reads=parallel_reads) as found:
        return sum(
            _put(session, compute_support(pl.concat(taking_part), mentions, now), stored)
            for *taking_part, mentions, stored in found
        )


def support_totals(session: Session) -> dict[str, int | float | None]:
    """Return how many customers speak of leaving and wait for an answer; the mean rating, and of how many it is."""
    with session.transaction():
        return session.frame(
            "SELECT count(*) FILTER (WHERE mentioned_cancel) AS customers_mentioning_cancel, "
            "count(*) FILTER (WHERE open_tickets > 0) AS customers_with_open_tickets, "
            "avg(csat_score)::float8 AS avg_csat_score, count(csat_score) AS customers_with_csat_score "
            "FROM support_metrics"
        ).row(0, named=True)


def _lock_tables(session: Session) -> None:
    """One at a time: otherwise a run that counted earlier could write over what one that counted later wrote."""
    session.execute("LOCK TABLE support_metrics IN SHARE ROW EXCLUSIVE MODE")


def _taking_part(session: Session, cut: KeyRanges, part: str) -> Iterator[Frames]:
    contact_merges.create_merge_map(session)
    return ((taking_part,) for taking_part in cut.rows(session, _TAKING_PART.format(part=part)))


def _others(session: Session, cut: KeyRanges) -> Iterator[Frames]:
    """Return for each bucket who speaks of leaving, and what was counted before."""
    # Now, not with the first bucket: a session that reads everything by itself has cursors on the table by then.
    contact_merges.create_merge_map(session)
    return _bucketwise(session, cut)


def _bucketwise(session: Session, cut: KeyRanges) -> Iterator[Frames]:
    for bucket in cut:
        bucket.bind(session)
        yield (
            session.frame(_MENTIONS.format(bucket=bucket.condition("c.email_key"))),
            cast_numeric(session.frame(_STORED.format(bucket=bucket.condition("email_key"))), tables.SUPPORT_METRICS),
        )


def _put(session: Session, computed: pl.DataFrame, stored: pl.DataFrame) -> int:
    changed = computed.join(stored, on=list(_COLUMNS), how="anti", nulls_equal=True)
    gone = stored.join(computed, on="email_key", how="anti").select("email_key")
    session.stage("computed_support", changed.select(_COLUMNS))
    session.execute(_PUT)
    session.stage("gone_support", gone)
    session.execute("DELETE FROM support_metrics s USING gone_support g WHERE s.email_key = g.email_key")
    return computed.height


def _search_again(session: Session, rules: Rules) -> None:
    fingerprint = rules.message_rules_hash()
    while True:
        old = session.frame(
            f"SELECT conversation_id, message_id, text FROM intercom_messages WHERE rules_hash <> $1 LIMIT {_CHUNK}",
            fingerprint,
        )
        if old.is_empty():
            return
        mentions = [mentions_cancel(text, rules.cancel_words) for text in old["text"]]
        session.stage("searched", old.select("conversation_id", "message_id", mentions=pl.Series(mentions)))
        session.execute(
            "UPDATE intercom_messages m SET mentions_cancel = s.mentions, rules_hash = $1 FROM searched s "
            "WHERE m.conversation_id = s.conversation_id AND m.message_id = s.message_id",
            fingerprint,
        )
