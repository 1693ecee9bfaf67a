"""What a check is to Dagster: one operation per asset that asks all its questions, each with a result of its own.

No rule of any asset here.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from intercom_sync.domain.reconciliation import Verdict
from intercom_sync.orchestration.partitions import windows
from intercom_sync.orchestration.resources import WarehouseResource, explained
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import Offenders, offenders, refused

Ask = Callable[[Session, str], Verdict]
"""Asks the warehouse, on behalf of a Dagster run."""


@dataclass(frozen=True)
class Check:
    """One check of an asset.

    Attributes:
        name: for what should be so.
        description: what it holds against what, for the UI.
        ask: finds the verdict.
        blocking: whether a failure keeps the batch from being written; an error then, else a warning.
        error: whether a failure is an error although it blocks nothing.
    """

    name: str
    description: str
    ask: Ask
    blocking: bool = False
    error: bool = False

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """How a failure counts."""
        return dg.AssetCheckSeverity.ERROR if self.blocking or self.error else dg.AssetCheckSeverity.WARN


def checks_on(asset: str, checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    """Return the checks of an asset as one operation; each can still be run alone."""
    by_name = {check.name: check for check in checks}

    @dg.multi_asset_check(name=f"{asset}_checks", specs=[_spec(asset, check) for check in checks], can_subset=True)
    def judge(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
        chosen = {key.name for key in context.selected_asset_check_keys}
        with explained(context), warehouse.connect() as session:
            with session.transaction():
                verdicts = {name: by_name[name].ask(session, context.run.run_id) for name in by_name if name in chosen}
            for name, verdict in verdicts.items():
                yield _result(asset, by_name[name], verdict)

    return judge


def _spec(asset: str, check: Check) -> dg.AssetCheckSpec:
    """The one place that knows of Dagster's partitioned checks, which 1.13 calls a preview."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=asset,
            description=check.description,
            blocking=check.blocking,
            partitions_def=windows,
        )


def _result(asset: str, check: Check, verdict: Verdict) -> dg.AssetCheckResult:
    figures = {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in verdict.figures.items()
    }
    examples: dict[str, Any] = (
        {"examples": dg.MetadataValue.text(", ".join(verdict.examples))} if verdict.examples else {}
    )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=verdict.passed,
        severity=check.severity,
        description=verdict.sentence,
        metadata={**figures, **examples},
    )


def none_refused(kind: str, reasons: Sequence[str], *, others: bool = False) -> Ask:
    """Return the question whether records are refused for these reasons, or for all others."""

    def ask(session: Session, run: str) -> Verdict:
        return refusals(refused(session, kind, reasons, others=others), kind)

    return ask


def refusals(found: dict[str, Offenders], kind: str) -> Verdict:
    """Word refused records: how many for each reason, and some of them."""
    number = sum(one.count for one in found.values())
    told = "; ".join(f"{reason}: {one.count}" for reason, one in found.items())
    return Verdict(
        not number,
        f"{kind.capitalize()}s left out until someone mends them in Intercom: {told}."
        if number
        else "None is refused.",
        {"rejected": number},
        [example for one in found.values() for example in one.examples],
    )


def ids_unique(kind: str) -> Ask:
    """Return the question whether each landed record stands once."""
    return no_row(
        f"SELECT id FROM intercom_{kind}s GROUP BY id HAVING count(*) > 1",
        f"{kind.capitalize()}s that stand more than once",
        "Each id stands once.",
    )


def no_row(query: str, wrong: str, right: str, *, personal: bool = False) -> Ask:
    """Return the question whether a query for offenders finds none; it selects one id or (personal) email each."""

    def ask(session: Session, run: str) -> Verdict:
        return none_of(offenders(session, query, personal=personal), wrong, right)

    return ask


def none_of(found: Offenders, wrong: str, right: str) -> Verdict:
    """Word the answer to a question for what should not be there."""
    sentence = f"{wrong}: {found.count}." if found.count else right
    return Verdict(not found.count, sentence, {"violations": found.count}, found.examples)
