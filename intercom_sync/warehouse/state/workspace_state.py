"""`sync_state`: values stored per workspace, and the correction of instants that lie in the future.

Everything here runs inside the caller's transaction.
"""

from datetime import datetime, timedelta

from intercom_sync.domain.clocks import TOLERANCE
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.runs import REFRESH

_WORKSPACE, _REGION, _MESSAGES_SINCE = "workspace_id", "region", "messages_since"
_LEDGER_RULES = "ledger_rules_hash"
_HOLDS_RECORDS = (
    "SELECT EXISTS (SELECT FROM intercom_contacts) OR EXISTS (SELECT FROM intercom_conversations) "
    "OR EXISTS (SELECT FROM customer_last_written)"
)
_MOST_FREQUENT_WORKSPACE = (
    "SELECT payload->>'workspace_id' AS id FROM intercom_contacts "
    "WHERE json_typeof(payload->'workspace_id') = 'string' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1"
)


def workspace_id(session: Session) -> str | None:
    """Return the id of the workspace whose records are stored; None if unknown or without records.

    For records landed before the id was stored, read it from the contacts.
    """
    if not session.value(_HOLDS_RECORDS):
        return None
    return stored_workspace_id(session) or session.value(_MOST_FREQUENT_WORKSPACE)


def stored_workspace_id(session: Session) -> str | None:
    """Return the workspace id that the newest sync stored, even if it has landed no record yet."""
    return _read(session, _WORKSPACE)


def store_workspace_id(session: Session, id: str) -> None:
    """Store the id of the workspace."""
    _write(session, _WORKSPACE, id)


def region(session: Session) -> str:
    """Return the region of the workspace that Intercom reported last; empty before that."""
    return _read(session, _REGION) or ""


def store_region(session: Session, region: str) -> None:
    """Store the region of the workspace."""
    _write(session, _REGION, region)


def messages_since(session: Session) -> datetime | None:
    """Return the instant since which every message of a contact is stored; None if unknown."""
    stored = _read(session, _MESSAGES_SINCE)
    return datetime.fromisoformat(stored) if stored else None


def store_messages_since(session: Session, since: datetime) -> None:
    """Store the instant since which every message is stored."""
    _write(session, _MESSAGES_SINCE, since.isoformat())


def ledger_rules_hash(session: Session) -> str | None:
    """Return the hash of the rules that the newest MRR movements follow; None before the first full sync is done."""
    return _read(session, _LEDGER_RULES)


def store_ledger_rules_hash(session: Session, rules_hash: str) -> None:
    """Store the ledger's rules hash."""
    _write(session, _LEDGER_RULES, rules_hash)


def _read(session: Session, name: str) -> str | None:
    found: str | None = session.value("SELECT value FROM sync_state WHERE name = $1", name)
    return found


def _write(session: Session, name: str, value: str) -> None:
    session.execute(
        "INSERT INTO sync_state AS old (name, value) VALUES ($1, $2) "
        "ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value WHERE old.value <> EXCLUDED.value",
        name,
        value,
    )


_ONE_SECOND = timedelta(seconds=1)
_RUN_INSTANTS = ("as_of", "started_at", "finished_at")
_OTHER_INSTANTS = {
    "customer_alerts": ("created_at", "delivered_at"),
    "check_states": ("evaluated_at", "notified_at"),
    "rejected_records": ("time",),
}
_OF_RUNS = {"mrr_movements": ("observed_at",), "customer_history": ("valid_from", "valid_to")}
"""Tables whose instants are those of runs: where no run was of the future, they need not be read."""


def correct_future_instants(session: Session, present: datetime) -> int:
    """Correct stored instants later than the present; return the number of rows. Runs inside the caller's transaction.

    The true start of a run that started in the future is unknown. Such a run no longer counts for the watermark, so
    what it extracted is extracted again.
    """
    runs = _correct_runs(session, present)
    others = _OTHER_INSTANTS | _OF_RUNS if runs else _OTHER_INSTANTS
    return runs + sum(_correct(session, table, columns, present) for table, columns in others.items())


def _correct_runs(session: Session, present: datetime) -> int:
    """Shift the future instants of runs by one interval, so that the latest is one second before the present."""
    latest: datetime | None = session.value(
        f"SELECT max(GREATEST({', '.join(_RUN_INSTANTS)})) FROM sync_runs WHERE {_is_future(_RUN_INSTANTS)}",
        present + TOLERANCE,
    )
    if latest is None:
        return 0
    # Whole seconds: the driver binds no interval.
    shift_seconds = -int(-(latest - present + _ONE_SECOND).total_seconds() // 1)
    shifted = ", ".join(
        f"{c} = CASE WHEN {c} > $1 THEN {c} - interval '{shift_seconds} seconds' ELSE {c} END" for c in _RUN_INSTANTS
    )
    return _count(
        session,
        f"UPDATE sync_runs SET {shifted}, mode = CASE WHEN started_at > $1 THEN '{REFRESH}' ELSE mode END "
        f"WHERE {_is_future(_RUN_INSTANTS)}",
        present + TOLERANCE,
    )


def _correct(session: Session, table: str, columns: tuple[str, ...], present: datetime) -> int:
    capped = ", ".join(f"{c} = CASE WHEN {c} > $1 THEN $2 ELSE {c} END" for c in columns)
    return _count(
        session, f"UPDATE {table} SET {capped} WHERE {_is_future(columns)}", present + TOLERANCE, present - _ONE_SECOND
    )


def _is_future(columns: tuple[str, ...]) -> str:
    return f"GREATEST({', '.join(columns)}) > $1"


def _count(session: Session, update: str, *values: object) -> int:
    return int(session.value(f"WITH corrected AS ({update} RETURNING 1) SELECT count(*) FROM corrected", *values))
