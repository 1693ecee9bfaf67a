"""Operational incidents: failed runs, failed checks, partial failures and missed windows (R7.6).

Each has one sentence for the alert and a dedupe key, so that it is enqueued once. None contains an email or a message.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from intercom_sync.domain.identifiers import RunId

FAILED_RUN = "failed_run"
FAILED_CHECK = "failed_check"
PARTIAL_FAILURE = "survived_errors"
MISSED_WINDOWS = "missed_windows"
INCIDENT_KINDS = (FAILED_RUN, FAILED_CHECK, PARTIAL_FAILURE, MISSED_WINDOWS)

GRACE = timedelta(hours=2)
"""How long after its end a window may wait for its sync before it counts as missed."""

REMINDER_INTERVAL = timedelta(days=1)
"""A check that keeps failing is reported again after this."""

_WINDOW = timedelta(hours=6)
_MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True)
class Incident:
    """Represent an incident that is reported once.

    Attributes:
        kind: one of `INCIDENT_KINDS`.
        key: dedupe key; the outbox drops a second incident with the same key.
        details: context that a person needs to act; `sentence` is the text of the alert.
        run_id: the Dagster run it concerns.
        at: when it happened.
    """

    kind: str
    key: str
    details: dict[str, Any] = field(repr=False)
    run_id: RunId
    at: datetime


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    Attributes:
        check: asset and name, as in `unified_customers/one_row_per_email`.
        passed: the result.
        severity: Dagster's: WARN or ERROR.
        description: what the check says, without any customer's data.
        run_id: the Dagster run.
        at: when.
    """

    check: str
    passed: bool
    severity: str
    description: str
    run_id: RunId
    at: datetime

    def is_news(self, notified_at: datetime | None) -> bool:
        """Whether it must be reported: the check fails, and was not reported failing, or more than a day ago.

        Args:
            notified_at: when it was last reported failing; None where it has passed since.
        """
        return not self.passed and (notified_at is None or notified_at <= self.at - REMINDER_INTERVAL)


def failed_run(run_id: RunId, root: str, job: str, reason: str, at: datetime, *, retried: bool = False) -> Incident:
    """Return the incident of a run that failed or crashed.

    Args:
        run_id: id of the run.
        root: id of the run that it retries, or its own: a run and its retries are one incident.
        job: the job's name.
        reason: the cause, in one sentence.
        at: when it failed.
        retried: whether Dagster retries it.
    """
    retry_note = " Dagster retries it." if retried else ""
    sentence = f"The run of {job} failed: {_one_line(reason)}{retry_note}"
    return Incident(FAILED_RUN, f"{FAILED_RUN}/{root}", {"sentence": sentence, "job": job}, run_id, at)


def failed_check(check: str, severity: str, finding: str, run_id: RunId, at: datetime) -> Incident:
    """Return the incident of a failed check; `Evaluation.is_news` decides whether to report it.

    Args:
        check: asset and name, as in `unified_customers/emails_are_unique`.
        severity: Dagster's severity, WARN or ERROR.
        finding: the sentence of the check, without customer data.
        run_id: id of the run.
        at: when the check was evaluated.
    """
    sentence = f"The check {check} failed ({severity}){f': {_one_line(finding)}' if finding else '.'}"
    key = f"{FAILED_CHECK}/{check}/{at.astimezone(UTC).isoformat()}"
    return Incident(FAILED_CHECK, key, {"sentence": sentence, "check": check, "severity": severity}, run_id, at)


def partial_failure(run_id: RunId, errors: int, at: datetime) -> Incident:
    """Return the incident of a sync that succeeded although some API calls failed after all retries."""
    calls = "1 API call" if errors == 1 else f"{errors} API calls"
    sentence = f"A sync succeeded, but {calls} failed after all retries. The next sync fetches the missing data."
    return Incident(
        PARTIAL_FAILURE, f"{PARTIAL_FAILURE}/{run_id}", {"sentence": sentence, "errors": errors}, run_id, at
    )


def missed_windows(watermark: datetime | None, now: datetime) -> Incident | None:
    """Return the incident of missed windows: those between the watermark and the last window that is due.

    Args:
        watermark: every change before it has been extracted; None before the first full sync, when none is missed.
        now: the current time.
    """
    due = _last_window_end(now - GRACE)
    if watermark is None or watermark >= due:
        return None
    windows = -(-(due - watermark) // _WINDOW)
    gap = f"{watermark.astimezone(UTC):%Y-%m-%d %H:%M} to {due:%Y-%m-%d %H:%M} UTC"
    count = "1 six-hour window" if windows == 1 else f"{windows} six-hour windows"
    sentence = (
        f"No sync has covered {gap} ({count}). The next sync catches up; if none starts, check that Dagster is running."
    )
    key = f"{MISSED_WINDOWS}/{watermark.astimezone(UTC).isoformat()}"
    return Incident(MISSED_WINDOWS, key, {"sentence": sentence, "windows": windows}, RunId(""), now)


def _last_window_end(moment: datetime) -> datetime:
    seconds = int(_WINDOW.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_REASON_CHARACTERS else f"{line[: _MAX_REASON_CHARACTERS - 1]}…"
