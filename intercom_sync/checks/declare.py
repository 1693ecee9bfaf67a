"""What a check is to Dagster: one operation per asset that asks all its questions, each with a result of its own.

No rule of any asset here.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from intercom_sync.domain.verdicts import Verdict
from intercom_sync.partitions import windows
from intercom_sync.resources import WarehouseResource, explained
from intercom_sync.warehouse.session import Session

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
