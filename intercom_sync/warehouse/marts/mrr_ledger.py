"""`mrr_movements`: the append-only ledger, written in the transaction that publishes the customers.

`domain.movements` decides which changes are movements, and their kinds. This module stages the changes by key range,
joins them with transfers and earlier payments, which need all customers, and appends the movements.
"""

from dataclasses import dataclass

import polars as pl

from intercom_sync.domain import movements
from intercom_sync.domain.movement_alerts import LAST_MOVEMENTS_SCHEMA, MAX_LISTED, MRR_ALERTS
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema.columns import Type
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.state import workspace_state
from intercom_sync.warehouse.state.runs import SyncRun

_BATCH_ROWS = 25_000
_MAX_MERGES = 3  # Intercom follows as many
_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM mrr_movements)"
_COUNTS_MRR = "SELECT EXISTS (SELECT FROM customer_last_written WHERE counted_mrr > 0)"
# Pairs of customers that share a contact or a Stripe customer. A contact that no longer exists is followed to the one
# that it was merged into.
_PAIRS = f"""
WITH RECURSIVE moved AS (
    SELECT email_key, mrr_before, contact_before AS id, 0 AS merges FROM mrr_changes
    WHERE mrr_before > 0 AND contact_before IS DISTINCT FROM contact_after
    UNION ALL
    SELECT s.email_key, s.mrr_before, m.contact_id, s.merges + 1 FROM moved s
    JOIN contact_merges m ON m.source_id = s.id
    WHERE s.merges < {_MAX_MERGES} AND NOT EXISTS (SELECT FROM intercom_contacts c WHERE c.id = s.id)
), pairs AS (
    SELECT s.email_key AS source, t.email_key AS target, s.mrr_before AS source_before, t.mrr_before AS target_before,
        t.mrr_after AS target_after, TRUE AS by_contact, (t.contact_before = s.id) IS TRUE AS was_there
    FROM moved s JOIN mrr_changes t ON t.contact_after = s.id AND t.email_key <> s.email_key
    UNION ALL
    SELECT s.email_key, t.email_key, s.mrr_before, t.mrr_before, t.mrr_after, FALSE,
        (t.stripe_before = s.stripe_before) IS TRUE
    FROM mrr_changes s JOIN mrr_changes t ON t.stripe_after = s.stripe_before AND t.email_key <> s.email_key
    WHERE s.mrr_before > 0 AND s.stripe_before IS DISTINCT FROM s.stripe_after
)
SELECT source, target, source_before::text AS source_before, target_before::text AS target_before,
    target_after::text AS target_after, by_contact, was_there FROM pairs WHERE target_after > 0
"""
_CHANGED = (
    "SELECT c.*, t.transferred, t.transfer_source, {paid_before} AS paid_before "
    "FROM mrr_changes c LEFT JOIN mrr_transfers t ON t.email_key = c.email_key ORDER BY c.email_key"
)
_PAID_BEFORE = (
    "c.mrr_before > 0 OR EXISTS (SELECT FROM mrr_movements m WHERE m.email = c.email_key AND m.mrr_after > 0)"
)
_FIRST_OF = "(SELECT min(COALESCE(m.first_movement_id, m.movement_id)) FROM mrr_movements m WHERE m.email = {email})"
_WRITE = (
    "INSERT INTO mrr_movements (observed_at, email, intercom_contact_id, stripe_customer_id, kind, cause, mrr_before, "
    "mrr_after, mrr_change, plan_before, plan_after, run_id, first_movement_id) SELECT $1, email_key, "
    "intercom_contact_id, stripe_customer_id, kind, cause, mrr_before, mrr_after, mrr_change, plan_before, plan_after, "
    "$2, {first} FROM mrr_decided d ORDER BY n"
)
_FIRST = f"COALESCE({_FIRST_OF.format(email='d.email_key')}, {_FIRST_OF.format(email='d.transfer_source')})"
# Erasing a person keeps the totals and months unchanged; the next sync closes the person's MRR with a correction.
_CLOSE_ERASED = (
    "INSERT INTO mrr_movements (observed_at, kind, cause, mrr_before, mrr_after, mrr_change, run_id, "
    f"first_movement_id) SELECT $1, '{movements.CORRECTION}', '{movements.FORGOTTEN}', sum(mrr_change), 0, "
    "-sum(mrr_change), $2, COALESCE(first_movement_id, movement_id) FROM mrr_movements WHERE email IS NULL "
    "GROUP BY COALESCE(first_movement_id, movement_id) HAVING sum(mrr_change) <> 0"
)
_LAST_MOVEMENTS = (
    "SELECT a.email, m.kind, m.cause, m.mrr_change::text AS mrr_change, m.observed_at, m.run_id = $1 AS of_run "
    "FROM alerted a CROSS JOIN LATERAL (SELECT * FROM mrr_movements l WHERE l.email = a.email "
    f"ORDER BY l.observed_at DESC, l.movement_id DESC LIMIT {MAX_LISTED}) m "
    "ORDER BY a.email, m.observed_at DESC, m.movement_id DESC"
)
_HAS_OTHER_RULES = "SELECT EXISTS (SELECT FROM revenue_metrics WHERE rules_hash <> $1)"
_AMOUNTS = tuple(name for name, kind in movements.CHANGE_SCHEMA.items() if kind == Type.NUMERIC.frame)


@dataclass(frozen=True)
class LedgerState:
    """Describe the ledger before a sync writes to it.

    Attributes:
        opening: the cause of the openings that this sync writes; None if the ledger is open already.
        is_empty: whether the ledger has no rows.
        rules_hash: hash of the rules that the MRR of its newest movements was computed by; empty if unknown.
    """

    opening: str | None
    is_empty: bool
    rules_hash: str


def read_ledger(session: Session) -> LedgerState:
    """Read the state of the ledger; runs inside the caller's transaction.

    The first sync opens the ledger. A ledger that is empty although customers have a counted MRR was dropped or
    truncated, and is rebuilt.
    """
    rules_hash = workspace_state.ledger_rules_hash(session)
    is_empty = bool(session.value(_IS_EMPTY))
    is_lost = is_empty and rules_hash is not None and bool(session.value(_COUNTS_MRR))
    opening = movements.FIRST_SYNC if rules_hash is None else movements.REBUILT
    return LedgerState(opening if rules_hash is None or is_lost else None, is_empty, rules_hash or "")


def stage_changes(session: Session, rows: pl.DataFrame, ledger: LedgerState) -> None:
    """Stage the changes of counted MRR of some customers.

    Args:
        session: the session of the transaction.
        rows: rows of `domain.customers.CustomerRows`.
        ledger: the state of the ledger.
    """
    session.append_staged("mrr_changes", movements.changes(rows, reopened=ledger.is_empty))


def write_movements(session: Session, run: SyncRun, ledger: LedgerState) -> int:
    """Append the movements of the staged changes whose customers were written to `unified_customers`.

    Runs inside the caller's transaction, after the upsert of the customers.

    Args:
        session: the session of the transaction.
        run: the run that wrote the customers.
        ledger: the state of the ledger.

    Returns:
        The number of movements, without the corrections that close the MRR of erased people.
    """
    session.execute("DELETE FROM mrr_changes c USING unwritten_customers u WHERE u.email_key = c.email_key")
    count = int(session.value("SELECT count(*) FROM mrr_changes"))
    analyze(session, "mrr_changes", rows=count)
    written = 0
    if count:
        _stage_transfers(session, ledger)
        written = _stage_movements(session, ledger)
        # In an empty ledger there is nothing to look up, and the planner does not know yet how large it becomes.
        first = "CAST(NULL AS bigint)" if ledger.is_empty else _FIRST
        session.execute(_WRITE.format(first=first), run.as_of, run.id)
    session.execute(_CLOSE_ERASED, run.as_of, run.id)
    return written


def last_movements(session: Session, run: SyncRun, alerts: pl.DataFrame) -> pl.DataFrame:
    """Read the newest movements of the customers that alerts about MRR name.

    Args:
        session: the session of the caller's transaction.
        run: the run that decides the alerts.
        alerts: alerts with `kind` and `email`.

    Returns:
        At most `MAX_LISTED` movements per customer, newest first, as `LAST_MOVEMENTS_SCHEMA`.
    """
    emails = alerts.filter(pl.col("kind").is_in(MRR_ALERTS)).select("email").unique()
    if emails.is_empty():
        return pl.DataFrame(schema=LAST_MOVEMENTS_SCHEMA)
    session.stage("alerted", emails)
    return _cast_amounts(session.frame(_LAST_MOVEMENTS, run.id), LAST_MOVEMENTS_SCHEMA)


def note_rules(session: Session, rules: Rules) -> None:
    """Store the hash of the rules that the newest movements were computed by.

    Runs inside the caller's transaction, after a completed full sync.

    Args:
        session: the session of the transaction.
        rules: the rules of the workspace.
    """
    current = rules.contact_rules_hash()
    stored = workspace_state.ledger_rules_hash(session)
    if stored == current:
        return
    if not session.value(_HAS_OTHER_RULES, current):
        workspace_state.store_ledger_rules_hash(session, current)
    elif stored is None:
        # The revenue of some contacts still follows other rules; its recomputation is a correction.
        workspace_state.store_ledger_rules_hash(session, "")


def _stage_transfers(session: Session, ledger: LedgerState) -> None:
    pairs = pl.DataFrame(schema=movements.PAIR_SCHEMA)
    if not ledger.opening:
        pairs = _cast_amounts(session.frame(_PAIRS), movements.PAIR_SCHEMA)
    session.stage("mrr_transfers", movements.transfers(pairs))


def _stage_movements(session: Session, ledger: LedgerState) -> int:
    """Stage the movements as `mrr_decided`, and return their number."""
    session.execute("DROP TABLE IF EXISTS pg_temp.mrr_decided")
    count = 0
    query = _CHANGED.format(paid_before="FALSE" if ledger.is_empty else _PAID_BEFORE)
    for changed in session.batches(_amounts_as_text(query), _BATCH_ROWS):
        schema = movements.CHANGE_SCHEMA | movements.TRANSFER_SCHEMA
        decided = movements.decide_movements(_cast_amounts(changed, schema), ledger.opening)
        session.append_staged("mrr_decided", decided.with_row_index("n", count).cast({"n": pl.Int64}))
        count += decided.height
    analyze(session, "mrr_decided", rows=count)
    return count


def _amounts_as_text(query: str) -> str:
    """Return the query with its amounts cast to text, because a session cannot read numeric columns."""
    names = [name for name in movements.CHANGE_SCHEMA if name not in _AMOUNTS]
    amounts = [f"q.{name}::text AS {name}" for name in (*_AMOUNTS, "transferred")]
    columns = ", ".join([*names, *amounts, "transfer_source", "paid_before"])
    return f"SELECT {columns} FROM ({query}) q"


def _cast_amounts(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    amounts = [name for name, kind in schema.items() if kind == Type.NUMERIC.frame]
    return frame.with_columns(pl.col(name).str.to_decimal(scale=6).cast(Type.NUMERIC.frame) for name in amounts)
