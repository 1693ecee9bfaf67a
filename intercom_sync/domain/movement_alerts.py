"""MRR movements in alerts: the kind and cause of the movement, and the customer's last movements."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from intercom_sync.domain.alerts import MRR_CHANGE, NEW_HIGH_VALUE
from intercom_sync.domain.schema.columns import Type

MRR_ALERTS = (MRR_CHANGE, NEW_HIGH_VALUE)
"""The kinds of alerts that a movement causes."""

MAX_LISTED = 4
LAST_MOVEMENTS_SCHEMA: dict[str, pl.DataType] = {
    "email": pl.String(), "kind": pl.String(), "cause": pl.String(), "mrr_change": Type.NUMERIC.frame,
    "observed_at": Type.TIMESTAMP.frame, "of_run": pl.Boolean(),
}  # fmt: skip
"""Columns of a movement; `of_run` is true if the run that decides the alert wrote it."""


def add_movements(alerts: pl.DataFrame, last_movements: pl.DataFrame) -> pl.DataFrame:
    """Add the causing movement and the last movements to the details of alerts about MRR.

    Args:
        alerts: alerts as `decide_alerts` returns them.
        last_movements: the newest movements of their customers, newest first, as `LAST_MOVEMENTS_SCHEMA`.

    Returns:
        `kind`, `email` and `details` of all alerts.
    """
    by_email: dict[str, list[dict[str, Any]]] = {}
    for movement in last_movements.iter_rows(named=True):
        by_email.setdefault(movement["email"], []).append(movement)
    rows = [
        (
            kind,
            email,
            _with_movements(details, by_email[email]) if kind in MRR_ALERTS and email in by_email else details,
        )
        for kind, email, details in alerts.select("kind", "email", "details").iter_rows()
    ]
    return pl.DataFrame(rows, schema=alerts.select("kind", "email", "details").schema, orient="row")


def _with_movements(details: str, movements: Sequence[dict[str, Any]]) -> str:
    added: dict[str, Any] = {
        "last_movements": [
            {"kind": one["kind"], "change": _amount(one["mrr_change"]), "at": one["observed_at"]}
            for one in movements[:MAX_LISTED]
        ]
    }
    if of_run := [one for one in movements if one["of_run"]]:
        # A transfer may have a remainder; the alert names the larger of the two.
        cause = max(of_run, key=lambda one: abs(one["mrr_change"]))
        added |= {"movement": cause["kind"], "movement_cause": cause["cause"]}
    return orjson.dumps(orjson.loads(details) | added).decode()


def _amount(change: Decimal) -> str:
    """Return the exact amount as text, with two or more decimals."""
    cents = change.quantize(Decimal("0.01"))
    return f"{cents if cents == change else change.normalize():+f}"
