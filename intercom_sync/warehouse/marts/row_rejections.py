"""Write many rows at once, and where the table refuses one, all but that one.

A constraint, a type or a trigger of another system may refuse a row, and with it the statement that writes a range of
rows. The statement is then tried on ever smaller parts of the range, each in a subtransaction, until the refused rows
are alone. A function inside the server does that, so a row costs no round trip and no value reaches the server's log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import ColumnType
from intercom_sync.warehouse.state.runs import SyncRun

_PARTS = 64
# These SQLSTATE classes are no row's fault: connection, rights, space, cancellation, a mistake in a statement.
_NOT_OF_A_ROW = "('08', '0A', '25', '26', '34', '3D', '3F', '40', '42', '53', '55', '57', '58', 'XX')"
_SKIPPED = "skipped"
_GUARDED = """
CREATE FUNCTION pg_temp.{name}(low bigint, high bigint, instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE part bigint; state text; broken text; place text;
BEGIN
    {statement};
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, broken = CONSTRAINT_NAME, place = COLUMN_NAME;
    IF left(state, 2) IN {not_of_a_row} AND NOT (state = '42501' AND row_security_active('unified_customers')) THEN
        RAISE;
    ELSIF low = high THEN
        INSERT INTO pg_temp.row_refusals
        VALUES ('{name}', low, state, broken, COALESCE(NULLIF(place, ''), pg_temp.refusing_column(low)));
    ELSE
        part := GREATEST(1, (high - low + 1) / {parts});
        FOR step IN 0..(high - low) / part LOOP
            PERFORM pg_temp.{name}(low + step * part, LEAST(low + (step + 1) * part - 1, high), instant);
        END LOOP;
    END IF;
END $$
"""
_REFUSING_COLUMN = """
CREATE FUNCTION pg_temp.refusing_column(wanted bigint) RETURNS text LANGUAGE plpgsql AS $$
BEGIN {probes} RETURN NULL; END $$
"""
_PROBE = """
IF EXISTS (SELECT FROM pg_temp.customer_rows s WHERE s.n = wanted AND NOT s.same_{name}) THEN BEGIN
    DECLARE kept {shown} := (SELECT {cast} FROM pg_temp.customer_rows s WHERE s.n = wanted);
    BEGIN NULL; END;
EXCEPTION WHEN OTHERS THEN RETURN '{name}'; END; END IF;
"""
# The columns of each constraint and unique index, also those in expressions.
_DEPENDENCIES = (
    "SELECT DISTINCT COALESCE(c.conname, i.relname)::text AS broken, a.attname::text AS place, "
    "COALESCE(c.contype IN ('u', 'x', 'p'), x.indisunique) AS is_unique FROM pg_depend d "
    "LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid "
    "LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid AND i.relkind = 'i' "
    "LEFT JOIN pg_index x ON x.indexrelid = i.oid JOIN pg_attribute a ON a.attrelid = d.refobjid "
    "AND a.attnum = d.refobjsubid WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 "
    "AND d.refobjid = 'unified_customers'::regclass AND (c.oid IS NOT NULL OR i.oid IS NOT NULL)"
)
_MAY_SKIP = (
    "SELECT row_security_active('unified_customers') OR EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal "
    "AND tgrelid = 'unified_customers'::regclass AND tgtype & 3 = 3) "
    "OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class = 'unified_customers'::regclass)"
)
_REFUSED = """
SELECT s.email_key, s.contact_id, s.existed, s.read, f.state, f.broken, f.places, CAST(CASE
    WHEN cardinality(f.places) = 1 THEN to_jsonb(s) -> f.places[1]
    WHEN cardinality(f.places) > 1 THEN (SELECT jsonb_object_agg(p, to_jsonb(s) -> p) FROM unnest(f.places) p)
    END AS text) AS value
FROM (
    SELECT DISTINCT ON (r.n) r.n, r.state, r.broken, CASE WHEN r.place IS NOT NULL THEN ARRAY[r.place]
        ELSE ARRAY(SELECT d.place FROM dependencies d WHERE d.broken = r.broken ORDER BY 1) END AS places
    FROM row_refusals r WHERE r.step = ANY(string_to_array($1, ','))
) f JOIN customer_rows s ON s.n = f.n ORDER BY s.email_key
"""
_WORDS = {
    "23505": "its unique constraint {broken}",
    "23503": "its foreign key {broken}",
    "23514": "its check {broken}",
    "23P01": "its exclusion constraint {broken}",
    "23502": "its required column {place}, which has no default",
    "22001": "the length of its column {place}, {type}",
    "22003": "the range of its column {place}, {type}",
    "42501": "a row security policy",
    "44000": "a row security policy",
    "54000": "the size that one of its indexes can hold",
    _SKIPPED: "a trigger or a row security policy, without an error",
}


def prepare_refusals(session: Session, columns: Mapping[str, ColumnType]) -> None:
    """Make what notes refused rows and finds the column that refuses one; inside the caller's transaction."""
    session.execute("DROP TABLE IF EXISTS pg_temp.row_refusals")
    session.execute("CREATE TEMP TABLE row_refusals (step text, n bigint, state text, broken text, place text)")
    probed = [one for name, one in columns.items() if not one.keeps_all and name != "last_intercom_sync"]
    probes = "".join(_PROBE.format(name=one.name, shown=one.shown, cast=one.cast(f"s.{one.name}")) for one in probed)
    session.execute("DROP FUNCTION IF EXISTS pg_temp.refusing_column")
    session.execute(_REFUSING_COLUMN.format(probes=probes))
    # What is deferred to the end of the transaction could no longer be pinned to a row.
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")


def write_guarded(session: Session, name: str, statement: str, low: int, high: int, instant: object) -> None:
    """Run a statement for the rows from `low` to `high`, and note those that the table refuses under `name`.

    In the statement `low`, `high` and `instant` are variables.
    """
    if low > high:
        return
    session.execute(f"DROP FUNCTION IF EXISTS pg_temp.{name}")
    session.execute(_GUARDED.format(name=name, statement=statement, not_of_a_row=_NOT_OF_A_ROW, parts=_PARTS))
    session.value(f"SELECT pg_temp.{name}($1, $2, $3)::text", low, high, instant)


def unique_columns(session: Session) -> set[str]:
    """Return the columns of `unified_customers` that take part in a unique or exclusion constraint or index."""
    return {place for _, place, is_unique in session.frame(_DEPENDENCIES).iter_rows() if is_unique}


def note_skipped(session: Session, is_unwritten: str) -> None:
    """Note the rows that a trigger or a policy left out without an error, by a condition on the row `s` and `u`."""
    if session.value(_MAY_SKIP):
        session.execute(
            f"INSERT INTO row_refusals SELECT '{_SKIPPED}', s.n, '{_SKIPPED}', '', NULL FROM customer_rows s "
            f"LEFT JOIN unified_customers u ON lower(u.email) = s.email_key WHERE {is_unwritten} "
            "AND NOT EXISTS (SELECT FROM row_refusals r WHERE r.n = s.n)"
        )


def refused_rows(session: Session, columns: Mapping[str, ColumnType], *steps: str) -> pl.DataFrame:
    """Return what the table refused: email_key, contact_id, existed, read, reason, field and value (JSON text)."""
    session.stage("dependencies", session.frame(_DEPENDENCIES))
    found = session.frame(_REFUSED, ",".join((*steps, _SKIPPED)))
    reasons = [
        _reason(state, broken, places, columns)
        for state, broken, places in found["state", "broken", "places"].iter_rows()
    ]
    return found.with_columns(
        reason=pl.Series(reasons, dtype=pl.String),
        field=pl.when(pl.col("places").list.len() > 0)
        .then(pl.col("places").list.join(", "))
        .otherwise(pl.lit("unified_customers")),
    ).drop("state", "broken", "places")


def _reason(state: str, broken: str, places: list[str], columns: Mapping[str, ColumnType]) -> str:
    place = ", ".join(places)
    type = columns[place].shown if place in columns else ""
    words = _WORDS.get(state)
    if words is None and state.startswith("22") and type:
        words = "the type of its column {place}, {type}"
    words = words or f"a trigger (SQLSTATE {state})"
    return f"unified_customers refuses the row by {words.format(broken=broken, place=place, type=type)}"


DIGEST = "'sha256:' || left(encode(sha256(convert_to(email_key, 'UTF8')), 'hex'), 16)"
"""By which a row without a contact is known."""

_ID = f"COALESCE(contact_id, {DIGEST})"
_GOOD = f"DELETE FROM rejected_records WHERE kind = 'customer' AND id NOT IN (SELECT {_ID} FROM unwritten_customers)"
_KEEP = (
    "INSERT INTO rejected_records AS old (kind, id, reason, field, value, run, time, rules_hash) "
    f"SELECT 'customer', {_ID}, reason, field, value::json, $1, $2, 'unified_customers' FROM unwritten_customers "
    "ORDER BY 2 ON CONFLICT (kind, id) DO UPDATE SET landed_at = clock_timestamp(), reason = EXCLUDED.reason, "
    "field = EXCLUDED.field, value = EXCLUDED.value, run = EXCLUDED.run, time = EXCLUDED.time "
    "WHERE (old.reason, old.field, old.value::text) IS DISTINCT FROM "
    "(EXCLUDED.reason, EXCLUDED.field, EXCLUDED.value::text)"
)


@dataclass(frozen=True)
class Unwritten:
    """A customer's row that the table refused.

    Attributes:
        id: its contact's, or a digest.
        reason: what refuses it.
        field: the columns.
        read: whether the run read a contact of it.
    """

    id: str
    reason: str
    field: str
    read: bool


def keep_refused(session: Session, refused: pl.DataFrame, run: SyncRun) -> list[Unwritten]:
    """Keep refused rows, drop those that are good now, and return the refused; inside the caller's transaction.

    They stay staged as `unwritten_customers`.
    """
    session.stage("unwritten_customers", refused)
    session.execute(_GOOD)
    session.execute(_KEEP, run.id, run.as_of)
    found = session.frame(f"SELECT {_ID} AS id, reason, field, read FROM unwritten_customers ORDER BY 1")
    return [Unwritten(**row) for row in found.iter_rows(named=True)]
