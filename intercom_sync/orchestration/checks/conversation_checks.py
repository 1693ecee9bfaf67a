"""The checks on `raw_conversations`."""

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parsing import RejectionReason
from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.orchestration.checks.build_checks import Check, ids_unique, no_rejections
from intercom_sync.orchestration.checks.extraction_checks import extraction_checks
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import PARTS_MISSING, PARTS_PENDING, find_violations
from intercom_sync.warehouse.state import stream_stats


def _parts_complete(session: Session, run_id: RunId) -> CheckResult:
    pending = find_violations(session, PARTS_PENDING)
    missing = find_violations(session, PARTS_MISSING)
    found = stream_stats.stats_for_run(session, run_id, RecordKind.CONVERSATION)
    parts_failed = found[0].parts_failed if found else 0
    return CheckResult(
        not pending.count and not missing.count,
        f"{pending.count} conversations have pending parts ({parts_failed} fetches failed in this extraction; the "
        f"next sync retries them), {missing.count} have more parts than Intercom returns (500).",
        {"parts_pending": pending.count, "parts_failed": parts_failed, "parts_missing": missing.count},
        (*pending.examples, *missing.examples),
    )


def _ratings_usable(session: Session, run_id: RunId) -> CheckResult:
    found = stream_stats.stats_for_run(session, run_id, RecordKind.CONVERSATION)
    ignored = found[0].ignored_ratings if found else 0
    return CheckResult(not ignored, f"{ignored} ratings outside 1 to 5 were ignored.", {"ignored_ratings": ignored})


CONVERSATION_CHECKS = (
    Check("ids_unique", "Each conversation id is unique.", ids_unique(RecordKind.CONVERSATION)),
    Check(
        "timestamps_valid",
        "No conversation is rejected for a timestamp that is not a positive integer.",
        no_rejections(RecordKind.CONVERSATION, [RejectionReason.TIMESTAMP]),
    ),
    Check(
        "records_usable",
        "No conversation is rejected for an invalid structure.",
        no_rejections(RecordKind.CONVERSATION, [RejectionReason.TIMESTAMP], others=True),
    ),
    Check(
        "parts_complete",
        "Every conversation that the metrics of the last 30 days need has all of its parts.",
        _parts_complete,
    ),
    Check("ratings_usable", "Every rating is within 1 to 5.", _ratings_usable),
    *extraction_checks(RecordKind.CONVERSATION),
)
