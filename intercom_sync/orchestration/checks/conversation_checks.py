"""The checks on `raw_conversations`."""

from intercom_sync.domain.reconciliation import Verdict
from intercom_sync.orchestration.checks.build_checks import Check, checks_on, ids_unique, none_refused
from intercom_sync.orchestration.checks.extraction_checks import checks_of_reading
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import offenders
from intercom_sync.warehouse.state import stream_stats

_TIMESTAMPS = ("timestamp is not a positive integer",)


def _parts_complete(session: Session, run: str) -> Verdict:
    waiting = offenders(session, "SELECT id FROM intercom_conversations WHERE parts_pending")
    short = offenders(session, "SELECT id FROM intercom_conversations WHERE parts_missing > 0")
    judged = stream_stats.judged(session, run, "conversation")
    given_up = judged[0].parts_failed if judged else 0
    return Verdict(
        not waiting.count and not short.count,
        f"{waiting.count} conversations wait for their parts ({given_up} given up by this reading; the next sync takes "
        f"them up), {short.count} hold more parts than Intercom shows (500).",
        {"parts_pending": waiting.count, "parts_failed": given_up, "parts_missing": short.count},
        (*waiting.examples, *short.examples),
    )


def _ratings_usable(session: Session, run: str) -> Verdict:
    judged = stream_stats.judged(session, run, "conversation")
    ignored = judged[0].ignored_ratings if judged else 0
    return Verdict(not ignored, f"{ignored} ratings outside 1 to 5 were passed over.", {"ignored_ratings": ignored})


CHECKS = (
    Check("ids_unique", "Each conversation id is unique.", ids_unique("conversation")),
    Check(
        "timestamps_valid",
        "No conversation is rejected for a timestamp that is not a positive integer.",
        none_refused("conversation", _TIMESTAMPS),
    ),
    Check(
        "records_usable",
        "No conversation is rejected for an invalid structure.",
        none_refused("conversation", _TIMESTAMPS, others=True),
    ),
    Check(
        "parts_complete",
        "All parts are fetched of every conversation that the last 30 days need.",
        _parts_complete,
    ),
    Check("ratings_usable", "Every rating is within 1 to 5.", _ratings_usable),
    *checks_of_reading("conversation"),
)
raw_conversations_checks = checks_on("raw_conversations", CHECKS)
