"""`mrr_movements`: the ledger, written in the transaction that publishes the customers.

Which changes are movements and of which kind is decided in `domain.movements`; here they are staged range by range,
joined with what only the whole tells (transfers, earlier payments), and appended.
"""

from dataclasses import dataclass

import polars as pl

from intercom_sync.domain import movements
from intercom_sync.domain.movement_alerts import ABOUT_MRR, MOST_LISTED, MOVED_SCHEMA
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema.columns import Type
from intercom_sync.warehouse.postgres.session import Session, analyze
from intercom_sync.warehouse.state import workspace_state
from intercom_sync.warehouse.state.runs import SyncRun

_BATCH_ROWS = 25_000
_MAX_MERGES = 3  # as many as Intercom itself follows
_IS_EMPTY = "SELECT NOT EXISTS (SELECT FROM mrr_movements)"
_COUNTS_MRR = "SELECT EXISTS (SELECT FROM customer_last_written WHERE counted_mrr > 0)"
# The contact that left, and those that it was merged into; a contact that is still there stands for itself.
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
# Forgetting leaves totals and months as they are; the next sync closes what the person paid.
_CLOSE_FORGOTTEN = (
    "INSERT INTO mrr_movements (observed_at, kind, cause, mrr_before, mrr_after, mrr_change, run_id, "
    f"first_movement_id) SELECT $1, '{movements.CORRECTION}', '{movements.FORGOTTEN}', sum(mrr_change), 0, "
    "-sum(mrr_change), $2, COALESCE(first_movement_id, movement_id) FROM mrr_movements WHERE email IS NULL "
    "GROUP BY COALESCE(first_movement_id, movement_id) HAVING sum(mrr_change) <> 0"
)
_LAST = (
    "SELECT a.email, m.kind, m.cause, m.mrr_change::text AS mrr_change, m.observed_at, m.run_id = $1 AS of_run "
    "FROM alerted a CROSS JOIN LATERAL (SELECT * FROM mrr_movements l WHERE l.email = a.email "
    f"ORDER BY l.observed_at DESC, l.movement_id DESC LIMIT {MOST_LISTED}) m "
    "ORDER BY a.email, m.observed_at DESC, m.movement_id DESC"
)
_HAS_OTHER_RULES = "SELECT EXISTS (SELECT FROM revenue_metrics WHERE rules_hash <> $1)"
_MONEY = tuple(name for name, kind in movements.CHANGE_SCHEMA.items() if kind == Type.NUMERIC.frame)


@dataclass(frozen=True)
class LedgerState:
    """What the ledger holds before a sync writes to it.

    Attributes:
        opening: the cause of an opening, where what changes now is one; None once the ledger is open.
        is_empty: whether it holds nothing.
        rules_hash: the rules that the MRR of its newest movements was computed by; empty where that is not known.
    """

    opening: str | None
    is_empty: bool
    rules_hash: str


def read_ledger(session: Session) -> LedgerState:
    """Return the state of the ledger; runs inside the caller's transaction.

    It opens with the first sync. Where it is empty although customers are counted, somebody dropped or truncated it.
    """
    rules_hash = workspace_state.ledger_rules_hash(session)
    is_empty = bool(session.value(_IS_EMPTY))
    is_lost = is_empty and rules_hash is not None and bool(session.value(_COUNTS_MRR))
    opening = movements.FIRST_SYNC if rules_hash is None else movements.REBUILT
    return LedgerState(opening if rules_hash is None or is_lost else None, is_empty, rules_hash or "")


def stage_changes(session: Session, rows: pl.DataFrame, ledger: LedgerState) -> None:
    """Stage what changed of some rows, as `domain.customers` made them."""
    session.append_staged("mrr_changes", movements.changes(rows, reopened=ledger.is_empty))


def write_movements(session: Session, run: SyncRun, ledger: LedgerState) -> int:
    """Append the movements of the staged changes that `unified_customers` took; return how many.

    Runs inside the caller's transaction, after the customers are written.
    """
    session.execute("DELETE FROM mrr_changes c USING unwritten_customers u WHERE u.email_key = c.email_key")
    count = int(session.value("SELECT count(*) FROM mrr_changes"))
    analyze(session, "mrr_changes", rows=count)
    written = 0
    if count:
        _stage_transfers(session, ledger)
        written = _decide(session, ledger)
        # In an empty ledger there is nothing to look up, and the planner does not know yet how large it becomes.
        first = "CAST(NULL AS bigint)" if ledger.is_empty else _FIRST
        session.execute(_WRITE.format(first=first), run.as_of, run.id)
    session.execute(_CLOSE_FORGOTTEN, run.as_of, run.id)
    return written


def last_movements(session: Session, run: SyncRun, alerts: pl.DataFrame) -> pl.DataFrame:
    """Return the newest movements of the customers of alerts about MRR, newest first, as `MOVED_SCHEMA`."""
    about = alerts.filter(pl.col("kind").is_in(ABOUT_MRR)).select("email").unique()
    if about.is_empty():
        return pl.DataFrame(schema=MOVED_SCHEMA)
    session.stage("alerted", about)
    return _with_money(session.frame(_LAST, run.id), MOVED_SCHEMA)


def note_rules(session: Session, rules: Rules) -> None:
    """Note which rules the newest movements follow; runs inside the caller's transaction, once a full sync is done."""
    present = rules.contact_rules_hash()
    noted = workspace_state.ledger_rules_hash(session)
    if noted == present:
        return
    if not session.value(_HAS_OTHER_RULES, present):
        workspace_state.store_ledger_rules_hash(session, present)
    elif noted is None:
        # Some contacts are still to be computed by the present rules: what that changes is a correction.
        workspace_state.store_ledger_rules_hash(session, "")


def _stage_transfers(session: Session, ledger: LedgerState) -> None:
    pairs = pl.DataFrame(schema=movements.PAIR_SCHEMA)
    if not ledger.opening:
        pairs = _with_money(session.frame(_PAIRS), movements.PAIR_SCHEMA)
    session.stage("mrr_transfers", movements.transfers(pairs))


def _decide(session: Session, ledger: LedgerState) -> int:
    """Stage the movements as `mrr_decided`; return how many."""
    session.execute("DROP TABLE IF EXISTS pg_temp.mrr_decided")
    decided = 0
    query = _CHANGED.format(paid_before="FALSE" if ledger.is_empty else _PAID_BEFORE)
    for changed in session.batches(_as_text(query), _BATCH_ROWS):
        schema = movements.CHANGE_SCHEMA | movements.TRANSFER_SCHEMA
        found = movements.decide_movements(_with_money(changed, schema), ledger.opening)
        session.append_staged("mrr_decided", found.with_row_index("n", decided).cast({"n": pl.Int64}))
        decided += found.height
    analyze(session, "mrr_decided", rows=decided)
    return decided


def _as_text(query: str) -> str:
    """Return a query whose amounts come as text, which is how numbers come out of a session."""
    names = [name for name in movements.CHANGE_SCHEMA if name not in _MONEY]
    amounts = [f"q.{name}::text AS {name}" for name in (*_MONEY, "transferred")]
    listed = ", ".join([*names, *amounts, "transfer_source", "paid_before"])
    return f"SELECT {listed} FROM ({query}) q"


def _with_money(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    amounts = [name for name, kind in schema.items() if kind == Type.NUMERIC.frame]
    return frame.with_columns(pl.col(name).str.to_decimal(scale=6).cast(Type.NUMERIC.frame) for name in amounts)
