"""What an alert about MRR says of movements: which kind caused it, and the customer's last ones."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson
import polars as pl

from intercom_sync.domain.alerts import MRR_CHANGE, NEW_HIGH_VALUE
from intercom_sync.domain.schema.columns import Type

ABOUT_MRR = (MRR_CHANGE, NEW_HIGH_VALUE)
"""The kinds of alerts that a movement causes."""

MOST_LISTED = 4
MOVED_SCHEMA: dict[str, pl.DataType] = {
    "email": pl.String(), "kind": pl.String(), "cause": pl.String(), "mrr_change": Type.NUMERIC.frame,
    "observed_at": Type.TIMESTAMP.frame, "of_run": pl.Boolean(),
}  # fmt: skip
"""A movement: `of_run` where the run that decides the alert wrote it."""


def add_movements(alerts: pl.DataFrame, moved: pl.DataFrame) -> pl.DataFrame:
    """Return alerts (`kind`, `email`, `details`) whose details name the movement that caused them, and the last ones.

    Args:
        alerts: as `decide_alerts` returns them.
        moved: `MOVED_SCHEMA`: the newest movements of their customers, newest first.
    """
    by_email: dict[str, list[dict[str, Any]]] = {}
    for movement in moved.iter_rows(named=True):
        by_email.setdefault(movement["email"], []).append(movement)
    rows = [
        (kind, email, _said(details, by_email[email]) if kind in ABOUT_MRR and email in by_email else details)
        for kind, email, details in alerts.select("kind", "email", "details").iter_rows()
    ]
    return pl.DataFrame(rows, schema=alerts.select("kind", "email", "details").schema, orient="row")


def _said(details: str, moved: Sequence[dict[str, Any]]) -> str:
    found: dict[str, Any] = {
        "last_movements": [
            {"kind": one["kind"], "change": _amount(one["mrr_change"]), "at": one["observed_at"]}
            for one in moved[:MOST_LISTED]
        ]
    }
    if of_run := [one for one in moved if one["of_run"]]:
        # A transfer may leave a remainder: the larger of the two is what the alert is about.
        cause = max(of_run, key=lambda one: abs(one["mrr_change"]))
        found |= {"movement": cause["kind"], "movement_cause": cause["cause"]}
    return orjson.dumps(orjson.loads(details) | found).decode()


def _amount(change: Decimal) -> str:
    """Return the exact amount with at least the cents."""
    cents = change.quantize(Decimal("0.01"))
    return f"{cents if cents == change else change.normalize():+f}"
