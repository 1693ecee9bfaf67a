"""SQL of the views over the ledger, and of the function `customers_as_of`.

`domain.schema.movement_views` holds their names, columns and descriptions.
"""

from intercom_sync.domain.movements import CHURN, KINDS, NEW, OPENING, REACTIVATION, RETENTION_KINDS
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.movement_views import (
    CUSTOMERS_AS_OF,
    CUSTOMERS_AS_OF_DESCRIPTION,
    MRR_COHORTS,
    MRR_MONTHLY,
)
from intercom_sync.warehouse.postgres.session import literal, quoted
from intercom_sync.warehouse.schema.ddl import MARK

_MONTH = "CAST(date_trunc('month', {0} AT TIME ZONE 'UTC') AS date)"
_LEDGER_END = "GREATEST(max(m.observed_at), (SELECT max(as_of) FROM {schema}.sync_runs WHERE status = 'succeeded'))"
_CUSTOMER_ID = "COALESCE(first_movement_id, movement_id)"
_RETENTION_KINDS = ", ".join(map(literal, RETENTION_KINDS))
_KIND_SUMS = ",\n        ".join(f"COALESCE(sum({kind}), 0) AS {kind}" for kind in KINDS)
# MRR of each customer at the start and the end of each month with a movement.
_BALANCES = f"""
sums AS (
    SELECT {_CUSTOMER_ID} AS customer, {_MONTH.format("observed_at")} AS month, sum(mrr_change) AS change,
        COALESCE(sum(mrr_change) FILTER (WHERE kind IN ({_RETENTION_KINDS})), 0) AS decided,
        {", ".join(f"sum(mrr_change) FILTER (WHERE kind = '{kind}') AS {kind}" for kind in KINDS)},
        bool_or(kind = '{NEW}') AS is_new, bool_or(kind = '{CHURN}') AS is_churned,
        bool_or(kind = '{REACTIVATION}') AS is_reactivated, bool_or(kind = '{OPENING}') AS is_opened
    FROM {{schema}}.mrr_movements GROUP BY 1, 2
), balances AS (
    SELECT *, sum(change) OVER (PARTITION BY customer ORDER BY month) - change AS at_start,
        sum(change) OVER (PARTITION BY customer ORDER BY month) AS at_end FROM sums
), last AS (
    SELECT {_MONTH.format(_LEDGER_END)} AS month FROM {{schema}}.mrr_movements m
)"""
_PAYING = "CAST(at_end > 0 AS integer) - CAST(at_start > 0 AS integer)"
_MONTHLY = f"""
WITH {_BALANCES}, by_month AS (
    SELECT month, sum(change) AS change, sum({_PAYING}) AS paying,
        {_KIND_SUMS},
        count(*) FILTER (WHERE is_new) AS customers_new, count(*) FILTER (WHERE is_churned) AS customers_churned,
        count(*) FILTER (WHERE is_reactivated) AS customers_reactivated,
        sum(decided) FILTER (WHERE at_start > 0) AS net, sum(LEAST(decided, 0)) FILTER (WHERE at_start > 0) AS gross,
        count(*) FILTER (WHERE at_start > 0 AND is_churned AND at_end = 0) AS lost
    FROM balances GROUP BY month
), months AS (
    SELECT CAST(m AS date) AS month
    FROM last, generate_series((SELECT min(month) FROM by_month), last.month, '1 month') m
), running AS (
    SELECT *, sum(COALESCE(change, 0)) OVER (ORDER BY month) AS mrr_end,
        sum(COALESCE(paying, 0)) OVER (ORDER BY month) AS customers_end
    FROM months LEFT JOIN by_month USING (month)
), framed AS (
    SELECT r.*, mrr_end - COALESCE(change, 0) AS mrr_start, customers_end - COALESCE(paying, 0) AS customers_start
    FROM running r
)
SELECT month, mrr_start, {", ".join(f"COALESCE({kind}, 0) AS {kind}" for kind in KINDS)}, mrr_end,
    CAST(customers_start AS bigint) AS customers_start, COALESCE(customers_new, 0) AS customers_new,
    COALESCE(customers_churned, 0) AS customers_churned, COALESCE(customers_reactivated, 0) AS customers_reactivated,
    CAST(customers_end AS bigint) AS customers_end,
    round((mrr_start + COALESCE(net, 0)) / NULLIF(mrr_start, 0), 6) AS nrr,
    round((mrr_start + COALESCE(gross, 0)) / NULLIF(mrr_start, 0), 6) AS grr,
    round(COALESCE(lost, 0) / NULLIF(customers_start, 0), 6) AS logo_churn
FROM framed ORDER BY month
"""
_COHORTS = f"""
WITH {_BALANCES}, members AS (
    SELECT customer, CASE WHEN bool_or(is_opened) THEN '{OPENING}' ELSE to_char(min(month), 'YYYY-MM') END AS cohort,
        min(month) AS since FROM balances GROUP BY customer
), cohorts AS (
    SELECT cohort, min(since) AS since, count(*) AS cohort_customers FROM members GROUP BY cohort
), by_month AS (
    SELECT c.cohort, b.month, sum({_PAYING}) AS paying, sum(b.change) AS change
    FROM balances b JOIN members c ON c.customer = b.customer GROUP BY c.cohort, b.month
)
SELECT c.cohort, row_number() OVER cohort_months - 1 AS months_since, CAST(m AS date) AS month, c.cohort_customers,
    CAST(sum(COALESCE(b.paying, 0)) OVER cohort_months AS bigint) AS customers,
    sum(COALESCE(b.change, 0)) OVER cohort_months AS mrr
FROM last, cohorts c CROSS JOIN LATERAL generate_series(c.since, last.month, '1 month') m
LEFT JOIN by_month b ON b.cohort = c.cohort AND b.month = CAST(m AS date)
WINDOW cohort_months AS (PARTITION BY c.cohort ORDER BY m)
"""
_QUERIES = {MRR_MONTHLY.name: _MONTHLY, MRR_COHORTS.name: _COHORTS}


def create_view(view: Table, schema: str) -> tuple[str, ...]:
    """Return the statements that create a view and its comments.

    Args:
        view: the view; its order of columns is kept.
        schema: the schema to create it in.
    """
    name, columns = f"{quoted(schema)}.{view.name}", ", ".join(view.names)
    query = _QUERIES[view.name].format(schema=quoted(schema))
    return (
        f"CREATE VIEW {name} AS SELECT {columns} FROM ({query}) q",
        f"COMMENT ON VIEW {name} IS {literal(f'{MARK} {view.description}')}",
        *(f"COMMENT ON COLUMN {name}.{c.name} IS {literal(c.description)}" for c in view.columns),
    )


def create_customers_as_of(schema: str) -> tuple[str, ...]:
    """Return the statements that create the function `customers_as_of` and its comment.

    Args:
        schema: the schema to create it in.
    """
    name, history = f"{quoted(schema)}.{CUSTOMERS_AS_OF}", f"{quoted(schema)}.customer_history"
    return (
        f"CREATE FUNCTION {name}(instant timestamptz) RETURNS SETOF {history} LANGUAGE sql STABLE BEGIN ATOMIC "
        f"SELECT * FROM {history} h WHERE h.valid_from <= instant AND (h.valid_to IS NULL OR h.valid_to > instant); "
        "END",
        f"COMMENT ON FUNCTION {name}(timestamptz) IS {literal(f'{MARK} {CUSTOMERS_AS_OF_DESCRIPTION}')}",
    )
