"""The checks that contacts and conversations share: whether their extraction is complete and plausible."""

from collections.abc import Callable
from functools import partial

from intercom_sync.domain import reconciliation
from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.reconciliation import CheckResult, StreamStats
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.orchestration.checks.build_checks import Check
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state import stream_stats

_NOTHING_YET = CheckResult(True, "Nothing has been extracted yet.")


def extraction_checks(kind: RecordKind) -> list[Check]:
    """Return the checks on the statistics of an extraction; blocking ones keep a bad extraction from the customers."""
    return [
        Check(
            "record_count_reconciled",
            "The stored records reconcile with Intercom's own count for the same query: exactly for a full extraction, "
            "within one per cent for a window, whose records may change during the extraction. A fetch by id finds no "
            "contact that a full extraction missed.",
            partial(_extraction_check, kind, reconciliation.reconciled),
        ),
        Check(
            "no_late_arrivals",
            "A full extraction finds no late arrivals: records that changed inside earlier windows, which missed them.",
            partial(_extraction_check, kind, lambda stats, full: reconciliation.no_late_arrivals(stats)),
        ),
        Check(
            "not_all_rejected",
            "At least one record is valid; when all are rejected, the structure of Intercom's responses has changed.",
            partial(_extraction_check, kind, lambda stats, full: reconciliation.not_all_rejected(stats)),
            blocking=True,
        ),
        Check(
            "no_volume_drop",
            "At least half of the records that Intercom counts were extracted, and at least half of the rows after the "
            "last successful sync remain; a larger drop is accepted when a second full extraction confirms it.",
            partial(_volume, kind),
            blocking=True,
        ),
    ]


def _extraction_check(
    kind: RecordKind, evaluate: Callable[[StreamStats, bool], CheckResult], session: Session, run_id: RunId
) -> CheckResult:
    found = stream_stats.stats_for_run(session, run_id, kind)
    return evaluate(*found) if found else _NOTHING_YET


def _volume(kind: RecordKind, session: Session, run_id: RunId) -> CheckResult:
    found = stream_stats.stats_for_run(session, run_id, kind)
    if found is None:
        return _NOTHING_YET
    stats, full = found
    since, held_before = stream_stats.since_success(session, stats)
    return reconciliation.no_volume_drop(since, held_before, full)
