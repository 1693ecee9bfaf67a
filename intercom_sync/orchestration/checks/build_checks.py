"""Build Dagster's asset checks: one operation per asset that evaluates all of its checks."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parsing import RejectionReason
from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.orchestration.resources import WarehouseResource, translate_errors
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import (
    ViolationQuery,
    Violations,
    duplicate_ids,
    find_rejections,
    find_violations,
)
from intercom_sync.warehouse.state import extractions

CheckFunction = Callable[[Session, RunId], CheckResult]
"""Evaluates a check on the warehouse, given a session and a Dagster run id."""


@dataclass(frozen=True)
class Check:
    """One check of an asset.

    Attributes:
        name: the condition that holds when the check passes.
        description: the condition, for the UI.
        function: evaluates the check.
        blocking: whether a failure stops the publish; it is then an error, else a warning.
        error: whether a failure is an error although it does not block.
    """

    name: str
    description: str
    function: CheckFunction
    blocking: bool = False
    error: bool = False

    @property
    def severity(self) -> dg.AssetCheckSeverity:
        """The severity of a failure."""
        return dg.AssetCheckSeverity.ERROR if self.blocking or self.error else dg.AssetCheckSeverity.WARN


def build_checks(asset: str, checks: Sequence[Check], partitions: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    """Return the checks of an asset as one operation; each check can also be run separately."""
    by_name = {check.name: check for check in checks}

    @dg.multi_asset_check(
        name=f"{asset}_checks", specs=[_spec(asset, check, partitions) for check in checks], can_subset=True
    )
    def evaluate(
        context: dg.AssetCheckExecutionContext, warehouse: dg.ResourceParam[WarehouseResource]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        with translate_errors(context, warehouse), warehouse.connect() as session:
            run_id = RunId(context.run.run_id)
            with session.transaction():
                results = {name: by_name[name].function(session, run_id) for name in by_name if name in selected}
                if any(by_name[name].blocking and not result.passed for name, result in results.items()):
                    # The next sync must extract again, not take over data that this check refuses.
                    extractions.finish(session, extractions.extraction_of_run(session, run_id), run_id)
            for name, result in results.items():
                yield _result(asset, by_name[name], result)

    return evaluate


def _spec(asset: str, check: Check, partitions: dg.PartitionsDefinition) -> dg.AssetCheckSpec:
    """Return the spec of a partitioned check, which is a preview feature in Dagster 1.13."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return dg.AssetCheckSpec(
            check.name,
            asset=asset,
            description=check.description,
            blocking=check.blocking,
            partitions_def=partitions,
        )


def _result(asset: str, check: Check, result: CheckResult) -> dg.AssetCheckResult:
    figures = {
        name: dg.MetadataValue.float(number) if isinstance(number, float) else dg.MetadataValue.int(number)
        for name, number in result.metrics.items()
    }
    examples: dict[str, Any] = (
        {"examples": dg.MetadataValue.text(", ".join(result.examples))} if result.examples else {}
    )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=check.name,
        passed=result.passed,
        severity=check.severity,
        description=result.sentence,
        metadata={**figures, **examples},
    )


def no_rejections(kind: RecordKind, reasons: Sequence[RejectionReason], *, others: bool = False) -> CheckFunction:
    """Return a check that no records are rejected for these reasons, or for any other reason if `others`."""

    def check(session: Session, run_id: RunId) -> CheckResult:
        found = find_rejections(session, kind, reasons, others=others)
        failed = f"{kind.plural.capitalize()} excluded until they are corrected in Intercom"
        return rejection_result(found, failed, "No records are rejected.")

    return check


def rejection_result(found: dict[str, Violations], failed: str, passed: str) -> CheckResult:
    """Return the result of a check for rejected records: counts by reason, and examples."""
    number = sum(violations.count for violations in found.values())
    counts = "; ".join(f"{reason}: {violations.count}" for reason, violations in found.items())
    return CheckResult(
        not number,
        f"{failed}: {counts}." if number else passed,
        {"rejected": number},
        [example for violations in found.values() for example in violations.examples],
    )


def ids_unique(kind: RecordKind) -> CheckFunction:
    """Return a check that each landed id is unique."""
    return no_violations(
        duplicate_ids(kind),
        f"Duplicate {kind} ids",
        "Each id is unique.",
    )


def no_violations(query: ViolationQuery, failed: str, passed: str) -> CheckFunction:
    """Return a check that a violation query finds nothing."""

    def check(session: Session, run_id: RunId) -> CheckResult:
        return none_of(find_violations(session, query), failed, passed)

    return check


def none_of(found: Violations, failed: str, passed: str) -> CheckResult:
    """Return the result of a violation query: `failed` with the count, or `passed`."""
    sentence = f"{failed}: {found.count}." if found.count else passed
    return CheckResult(not found.count, sentence, {"violations": found.count}, found.examples)
