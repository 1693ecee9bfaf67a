"""The views over the ledger: the worked examples of the documentation, and a plain recomputation of random ledgers."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import intercom_sync
from intercom_sync.warehouse.postgres.session import Session

_PAGE = Path(intercom_sync.__file__).parents[1] / "docs" / "mrr-movements.md"
_EXAMPLES = _PAGE.read_text().split("### Example ")[1:]
_DECIDED = {"expansion", "contraction", "churn", "reactivation"}
Movement = tuple[datetime, str, str, int]


def _tables(section: str) -> list[list[list[str]]]:
    """The tables of a section, without their headers."""
    found: list[list[list[str]]] = [[]]
    for line in section.partition("\n## ")[0].splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        elif found[-1]:
            found.append([])
    return [table[2:] for table in found if table]


def _write(session: Session, movements: list[Movement]) -> None:
    """Fill the ledger; a transfer in goes on with the customer of the transfer out before it."""
    firsts: dict[str, int] = {}
    sums: dict[str, int] = defaultdict(int)
    moving = 0
    with session.transaction():
        session.execute("TRUNCATE mrr_movements RESTART IDENTITY")
        for number, (at, customer, kind, change) in enumerate(movements, 1):
            first = firsts.setdefault(customer, moving if kind == "transfer" and change > 0 else number)
            moving = first if kind == "transfer" and change < 0 else 0
            before = sums[customer]
            sums[customer] += change
            known = "NULL" if first == number else str(first)
            amounts = f"{before}, {sums[customer]}, {change}, {known}"
            session.execute(
                "INSERT INTO mrr_movements (observed_at, email, kind, cause, run_id, mrr_before, mrr_after, "
                f"mrr_change, first_movement_id) VALUES ($1, $2, $3, 'x', 'r', {amounts})",
                at, customer, kind,
            )  # fmt: skip


def _view(session: Session, name: str, columns: str) -> list[dict[str, Any]]:
    listed = ", ".join(f"{column}::text AS {column}" for column in columns.split())
    with session.transaction():
        return session.frame(f"SELECT {listed} FROM {name}").rows(named=True)


def _number(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


@pytest.mark.parametrize("section", _EXAMPLES, ids=[one.partition("\n")[0] for one in _EXAMPLES])
def test_the_worked_examples_of_the_documentation(connect: Callable[[], Session], section: str) -> None:
    moved, months = _tables(section)
    with connect() as session:
        _write(session, [(datetime.fromisoformat(day).replace(tzinfo=UTC), who, kind, int(change))
                         for day, who, kind, change in moved])  # fmt: skip
        found = _view(session, "mrr_monthly", "month mrr_start mrr_end nrr grr logo_churn")
    assert [(row.pop("month"), *map(_number, row.values())) for row in found] == [
        (month, *map(_number, values)) for month, *values in months
    ]
    assert len(_EXAMPLES) == 3


def _random_ledger(seed: int) -> list[Movement]:
    dice, balances, paid = random.Random(seed), dict.fromkeys("abcdefgh", 0), set()
    at = datetime(2026, 1, 3, tzinfo=UTC)
    made: list[Movement] = []
    for _ in range(dice.randint(1, 60)):
        at += timedelta(days=dice.choice([0, 1, 5, 40]))
        who = dice.choice("abcdefgh")
        before, after = balances[who], dice.choice([0, 10, 20, 30])
        if before == after:
            continue
        kind = (
            "opening" if len(made) < 4 and who not in paid else
            "correction" if dice.random() < 0.2 else
            ("reactivation" if who in paid else "new") if not before else
            "churn" if not after else "expansion" if after > before else "contraction"
        )  # fmt: skip
        paid.add(who)
        balances[who] = after
        made.append((at, who, kind, after - before))
    return made


def _monthly(movements: list[Movement]) -> list[dict[str, Any]]:
    """The monthly view, one month after another by dictionaries."""
    months, balances = [], dict.fromkeys("abcdefgh", 0)
    month, last = movements[0][0].date().replace(day=1), movements[-1][0].date()
    while month <= last:
        after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        here = [one for one in movements if month <= one[0].date() < after]
        start = dict(balances)
        decided: dict[str, int] = defaultdict(int)
        for _, who, kind, change in here:
            balances[who] += change
            decided[who] += change if kind in _DECIDED and start[who] else 0
        total, paying = sum(start.values()), sum(amount > 0 for amount in start.values())
        churned = {who for _, who, kind, _ in here if kind == "churn"}
        lost = sum(start[who] > 0 and not balances[who] for who in churned)
        months.append(
            {"month": str(month), "mrr_start": total, "mrr_end": sum(balances.values())}
            | {kind: sum(change for *_, one, change in here if one == kind) for kind in sorted(_DECIDED)}
            | {"customers_start": paying, "customers_end": sum(amount > 0 for amount in balances.values()),
               "customers_churned": len(churned),
               "nrr": _share(total + sum(decided.values()), total),
               "grr": _share(total + sum(min(0, amount) for amount in decided.values()), total),
               "logo_churn": _share(lost, paying)}
        )  # fmt: skip
        month = after
    return months


def _share(part: int, whole: int) -> Decimal | None:
    return round(Decimal(part) / whole, 6) if whole else None


def _cohorts(movements: list[Movement]) -> dict[tuple[str, str], tuple[int, int]]:
    """Customers that pay and their MRR at the end of each month, by cohort and month."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    cohorts: dict[str, str] = {}
    for at, who, kind, _ in movements:
        cohorts.setdefault(who, "opening" if kind == "opening" else f"{at:%Y-%m}")
    for one in _monthly(movements):
        end = date.fromisoformat(one["month"])
        end = date(end.year + end.month // 12, end.month % 12 + 1, 1)
        for cohort in {cohorts[who] for at, who, *_ in movements if at.date() < end}:
            sums = [sum(change for at, one, _, change in movements if one == who and at.date() < end)
                    for who, its in cohorts.items() if its == cohort]  # fmt: skip
            found[cohort, one["month"]] = (sum(amount > 0 for amount in sums), sum(sums))
    return found


def test_the_views_are_what_a_plain_recomputation_gives(connect: Callable[[], Session]) -> None:
    with connect() as session:
        for seed in range(8):
            made = _random_ledger(seed)
            _write(session, made)
            wanted = _monthly(made)
            found = _view(session, "mrr_monthly", " ".join(wanted[0]))
            assert [(row.pop("month"), *map(_number, row.values())) for row in found] == [
                tuple(row.values()) for row in wanted
            ], seed
            cohorts = _view(session, "mrr_cohorts", "cohort month customers mrr")
            by_key = {(row["cohort"], row["month"]): (int(row["customers"]), int(row["mrr"])) for row in cohorts}
            assert by_key == _cohorts(made), seed
