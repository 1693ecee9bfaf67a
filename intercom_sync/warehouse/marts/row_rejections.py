"""Isolate rows that the table rejects, so that a bulk write loses these rows alone (R1.11).

A constraint, a type or a trigger of another system can reject a row, which fails the statement for a whole range of
rows. The statement is then repeated on smaller and smaller parts of the range, each in a subtransaction, until each
rejected row is a part of its own. A function inside the server does this, so a row costs no round trip and no value
reaches the server's log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.schema.column_types import ColumnType
from intercom_sync.warehouse.state.runs import SyncRun

_PARTS_PER_SPLIT = 64
# SQLSTATE classes that no row causes: connection, privileges, disk space, cancellation, an error in the statement.
_STATEMENT_ERRORS = "('08', '0A', '25', '26', '34', '3D', '3F', '40', '42', '53', '55', '57', '58', 'XX')"
_SKIPPED = "skipped"
_GUARDED = """
CREATE FUNCTION pg_temp.{name}(low bigint, high bigint, instant timestamptz) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE part bigint; state text; broken text; place text;
BEGIN
    {statement};
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, broken = CONSTRAINT_NAME, place = COLUMN_NAME;
    IF left(state, 2) IN {statement_errors} AND NOT (state = '42501' AND row_security_active('unified_customers')) THEN
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
# The columns of each constraint and index, including those used in expressions.
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
_REJECTED = """
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
_CAUSES = {
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


def prepare_rejections(session: Session, columns: Mapping[str, ColumnType]) -> None:
    """Create the temporary table of rejected rows and the function that finds the rejecting column.

    Runs inside the caller's transaction. Deferred constraints become immediate until it ends.

    Args:
        session: the session of the transaction.
        columns: the column types of `unified_customers`.
    """
    session.execute("DROP TABLE IF EXISTS pg_temp.row_refusals")
    session.execute("CREATE TEMP TABLE row_refusals (step text, n bigint, state text, broken text, place text)")
    probed = [one for name, one in columns.items() if not one.keeps_all and name != "last_intercom_sync"]
    probes = "".join(_PROBE.format(name=one.name, shown=one.shown, cast=one.cast(f"s.{one.name}")) for one in probed)
    session.execute("DROP FUNCTION IF EXISTS pg_temp.refusing_column")
    session.execute(_REFUSING_COLUMN.format(probes=probes))
    # A violation that is deferred to the end of the transaction could not be attributed to a row.
    session.execute("SET CONSTRAINTS ALL IMMEDIATE")


def write_guarded(session: Session, name: str, statement: str, low: int, high: int, instant: object) -> None:
    """Run a statement for a range of rows, and record the rows that the table rejects.

    Args:
        session: the session of the transaction.
        name: the step that the rejected rows are recorded under.
        statement: the SQL statement, in which `low`, `high` and `instant` are variables.
        low: number of the first row.
        high: number of the last row.
        instant: the time of the sync.
    """
    if low > high:
        return
    session.execute(f"DROP FUNCTION IF EXISTS pg_temp.{name}")
    session.execute(
        _GUARDED.format(name=name, statement=statement, statement_errors=_STATEMENT_ERRORS, parts=_PARTS_PER_SPLIT)
    )
    session.value(f"SELECT pg_temp.{name}($1, $2, $3)::text", low, high, instant)


def unique_columns(session: Session) -> set[str]:
    """Return the columns of `unified_customers` that belong to a unique or exclusion constraint or a unique index."""
    return {place for _, place, is_unique in session.frame(_DEPENDENCIES).iter_rows() if is_unique}


def record_skipped(session: Session, is_unwritten: str) -> None:
    """Record the rows that a trigger or a row security policy skipped without an error.

    Args:
        session: the session of the transaction.
        is_unwritten: SQL condition on a staged row `s` and its row `u` of `unified_customers`.
    """
    if session.value(_MAY_SKIP):
        session.execute(
            f"INSERT INTO row_refusals SELECT '{_SKIPPED}', s.n, '{_SKIPPED}', '', NULL FROM customer_rows s "
            f"LEFT JOIN unified_customers u ON lower(u.email) = s.email_key WHERE {is_unwritten} "
            "AND NOT EXISTS (SELECT FROM row_refusals r WHERE r.n = s.n)"
        )


def rejected_rows(session: Session, columns: Mapping[str, ColumnType], *steps: str) -> pl.DataFrame:
    """Return the rows that the table rejected or skipped.

    Args:
        session: the session of the transaction.
        columns: the column types of `unified_customers`.
        *steps: the names that `write_guarded` recorded them under.

    Returns:
        `email_key`, `contact_id`, `existed`, `read`, `reason`, `field` and `value` (JSON text).
    """
    session.stage("dependencies", session.frame(_DEPENDENCIES))
    rejected = session.frame(_REJECTED, ",".join((*steps, _SKIPPED)))
    reasons = [
        _reason(state, broken, places, columns)
        for state, broken, places in rejected["state", "broken", "places"].iter_rows()
    ]
    return rejected.with_columns(
        reason=pl.Series(reasons, dtype=pl.String),
        field=pl.when(pl.col("places").list.len() > 0)
        .then(pl.col("places").list.join(", "))
        .otherwise(pl.lit("unified_customers")),
    ).drop("state", "broken", "places")


def _reason(state: str, broken: str, places: list[str], columns: Mapping[str, ColumnType]) -> str:
    place = ", ".join(places)
    type = columns[place].shown if place in columns else ""
    cause = _CAUSES.get(state)
    if cause is None and state.startswith("22") and type:
        cause = "the type of its column {place}, {type}"
    cause = cause or f"a trigger (SQLSTATE {state})"
    return f"unified_customers rejects the row because of {cause.format(broken=broken, place=place, type=type)}"


DIGEST = "'sha256:' || left(encode(sha256(convert_to(email_key, 'UTF8')), 'hex'), 16)"
"""SQL expression that identifies a customer without a contact in `rejected_records`."""

_ID = f"COALESCE(contact_id, {DIGEST})"
_DELETE_WRITTEN = (
    f"DELETE FROM rejected_records WHERE kind = 'customer' AND id NOT IN (SELECT {_ID} FROM unwritten_customers)"
)
_UPSERT = (
    "INSERT INTO rejected_records AS old (kind, id, reason, field, value, run, time, rules_hash) "
    f"SELECT 'customer', {_ID}, reason, field, value::json, $1, $2, 'unified_customers' FROM unwritten_customers "
    "ORDER BY 2 ON CONFLICT (kind, id) DO UPDATE SET landed_at = clock_timestamp(), reason = EXCLUDED.reason, "
    "field = EXCLUDED.field, value = EXCLUDED.value, run = EXCLUDED.run, time = EXCLUDED.time "
    "WHERE (old.reason, old.field, old.value::text) IS DISTINCT FROM "
    "(EXCLUDED.reason, EXCLUDED.field, EXCLUDED.value::text)"
)


@dataclass(frozen=True)
class Unwritten:
    """Describe a customer's row that the table rejected.

    Attributes:
        id: id of the customer's contact; a digest of the email if there is none.
        reason: why the table rejects the row.
        field: the columns that cause it.
        read: whether the run read a contact of the customer.
    """

    id: str
    reason: str
    field: str
    read: bool


def store_rejected_rows(session: Session, rejected: pl.DataFrame, run: SyncRun) -> list[Unwritten]:
    """Upsert rejected rows into `rejected_records`, and delete customers that the table accepts now.

    Runs inside the caller's transaction. The rows stay staged as `unwritten_customers`.

    Args:
        session: the session of the transaction.
        rejected: the rows of `rejected_rows`.
        run: the run that wrote them.

    Returns:
        The rejected rows, ordered by id.
    """
    session.stage("unwritten_customers", rejected)
    session.execute(_DELETE_WRITTEN)
    session.execute(_UPSERT, run.id, run.as_of)
    unwritten = session.frame(f"SELECT {_ID} AS id, reason, field, read FROM unwritten_customers ORDER BY 1")
    return [Unwritten(**row) for row in unwritten.iter_rows(named=True)]
