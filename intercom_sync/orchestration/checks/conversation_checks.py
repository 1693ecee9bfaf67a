"""The checks on `raw_conversations`."""

from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.orchestration.checks.build_checks import Check, build_checks, ids_unique, no_rejections
from intercom_sync.orchestration.checks.extraction_checks import extraction_checks
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import PARTS_MISSING, PARTS_PENDING, find_violations
from intercom_sync.warehouse.state import stream_stats

_TIMESTAMPS = ("timestamp is not a positive integer",)


def _parts_complete(session: Session, run: str) -> CheckResult:
    waiting = find_violations(session, PARTS_PENDING)
    short = find_violations(session, PARTS_MISSING)
    judged = stream_stats.stats_for_run(session, run, "conversation")
    given_up = judged[0].parts_failed if judged else 0
    return CheckResult(
        not waiting.count and not short.count,
        f"{waiting.count} conversations wait for their parts ({given_up} given up by this reading; the next sync takes "
        f"them up), {short.count} hold more parts than Intercom shows (500).",
        {"parts_pending": waiting.count, "parts_failed": given_up, "parts_missing": short.count},
        (*waiting.examples, *short.examples),
    )


def _ratings_usable(session: Session, run: str) -> CheckResult:
    judged = stream_stats.stats_for_run(session, run, "conversation")
    ignored = judged[0].ignored_ratings if judged else 0
    return CheckResult(not ignored, f"{ignored} ratings outside 1 to 5 were passed over.", {"ignored_ratings": ignored})


CHECKS = (
    Check("ids_unique", "Each conversation id is unique.", ids_unique("conversation")),
    Check(
        "timestamps_valid",
        "No conversation is rejected for a timestamp that is not a positive integer.",
        no_rejections("conversation", _TIMESTAMPS),
    ),
    Check(
        "records_usable",
        "No conversation is rejected for an invalid structure.",
        no_rejections("conversation", _TIMESTAMPS, others=True),
    ),
    Check(
        "parts_complete",
        "All parts are fetched of every conversation that the last 30 days need.",
        _parts_complete,
    ),
    Check("ratings_usable", "Every rating is within 1 to 5.", _ratings_usable),
    *extraction_checks("conversation"),
)
raw_conversations_checks = build_checks("raw_conversations", CHECKS)
