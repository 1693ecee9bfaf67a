"""What a check is to Dagster: one operation per asset that asks all its questions, each with a result of its own.

No rule of any asset here.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.orchestration.partitions import six_hour_partitions
from intercom_sync.orchestration.resources import WarehouseResource, translate_errors
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import (
    ViolationQuery,
    Violations,
    duplicate_ids,
    find_rejections,
    find_violations,
)

CheckFunction = Callable[[Session, str], CheckResult]
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
    function: CheckFunction
    blocking: bool = False
    error: bool = False

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """How a failure counts."""
        return dg.AssetCheckSeverity.ERROR if self.blocking or self.error else dg.AssetCheckSeverity.WARN


def build_checks(asset: str, checks: Sequence[Check]) -> dg.AssetChecksDefinition:
    """Return the checks of an asset as one operation; each can still be run alone."""
    by_name = {check.name: check for check in checks}

    @dg.multi_asset_check(name=f"{asset}_checks", specs=[_spec(asset, check) for check in checks], can_subset=True)
    def judge(context: dg.AssetCheckExecutionContext, warehouse: WarehouseResource) -> Iterator[dg.AssetCheckResult]:
        chosen = {key.name for key in context.selected_asset_check_keys}
        with translate_errors(context, warehouse), warehouse.connect() as session:
            with session.transaction():
                verdicts = {
                    name: by_name[name].function(session, context.run.run_id) for name in by_name if name in chosen
                }
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
            partitions_def=six_hour_partitions,
        )


def _result(asset: str, check: Check, verdict: CheckResult) -> dg.AssetCheckResult:
    figures = {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in verdict.metrics.items()
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


def no_rejections(kind: str, reasons: Sequence[str], *, others: bool = False) -> CheckFunction:
    """Return the question whether records are refused for these reasons, or for all others."""

    def ask(session: Session, run: str) -> CheckResult:
        return rejection_result(find_rejections(session, kind, reasons, others=others), kind)

    return ask


def rejection_result(found: dict[str, Violations], kind: str) -> CheckResult:
    """Word refused records: how many for each reason, and some of them."""
    number = sum(one.count for one in found.values())
    told = "; ".join(f"{reason}: {one.count}" for reason, one in found.items())
    return CheckResult(
        not number,
        f"{kind.capitalize()}s left out until someone mends them in Intercom: {told}."
        if number
        else "None is refused.",
        {"rejected": number},
        [example for one in found.values() for example in one.examples],
    )


def ids_unique(kind: str) -> CheckFunction:
    """Return the question whether each landed record stands once."""
    return no_violations(
        duplicate_ids(kind),
        f"{kind.capitalize()}s that stand more than once",
        "Each id stands once.",
    )


def no_violations(query: ViolationQuery, wrong: str, right: str) -> CheckFunction:
    """Return the question whether a query for violations finds none."""

    def ask(session: Session, run: str) -> CheckResult:
        return none_of(find_violations(session, query), wrong, right)

    return ask


def none_of(found: Violations, wrong: str, right: str) -> CheckResult:
    """Word the answer to a question for what should not be there."""
    sentence = f"{wrong}: {found.count}." if found.count else right
    return CheckResult(not found.count, sentence, {"violations": found.count}, found.examples)
