"""What people must hear of besides customers: runs that failed, checks that failed, errors survived, windows missed.

Each is worded here as one sentence, with the key under which it is told once. When it is found out belongs to the
sensors; keeping it, to the outbox. None of it holds an email or a message.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

FAILED_RUN = "failed_run"
FAILED_CHECK = "failed_check"
PARTIAL_FAILURE = "survived_errors"
MISSED_WINDOWS = "missed_windows"
INCIDENT_KINDS = (FAILED_RUN, FAILED_CHECK, PARTIAL_FAILURE, MISSED_WINDOWS)

GRACE = timedelta(hours=2)
"""So long after its end may a window wait for its sync before that is called missed."""

_WINDOW = timedelta(hours=6)
_LONGEST_REASON = 500


@dataclass(frozen=True)
class Incident:
    """Something to be told once.

    Attributes:
        kind: what happened.
        key: what makes it the same thing: a second note of one key is dropped.
        details: what a person needs to act; `sentence` says it.
        run: the Dagster run it concerns.
        at: when it happened.
    """

    kind: str
    key: str
    details: dict[str, Any] = field(repr=False)
    run_id: str
    at: datetime


def failed_run(run: str, root: str, job: str, reason: str, at: datetime, *, tried_again: bool = False) -> Incident:
    """Return the note of a run that failed or died.

    Args:
        run: the run.
        root: the run that it tries again, or itself: a run and its retries are told of once.
        job: the job's name.
        reason: why, in one sentence.
        at: when it failed.
        tried_again: whether Dagster starts it once more.
    """
    again = " It is started once more." if tried_again else ""
    sentence = f"The run of {job} failed: {_one_line(reason)}{again}"
    return Incident(FAILED_RUN, f"{FAILED_RUN}/{root}", {"sentence": sentence, "job": job}, run, at)


def failed_check(check: str, severity: str, found: str, run: str, at: datetime) -> Incident:
    """Return the note of a check that failed; who calls decides whether it is news.

    Args:
        check: asset and name, as in `unified_customers/emails_are_unique`.
        severity: Dagster's: WARN or ERROR.
        found: what the check says, without any customer's data.
        run: the run.
        at: when it was evaluated.
    """
    sentence = f"The check {check} failed ({severity}){f': {_one_line(found)}' if found else '.'}"
    key = f"{FAILED_CHECK}/{check}/{at.astimezone(UTC).isoformat()}"
    return Incident(FAILED_CHECK, key, {"sentence": sentence, "check": check, "severity": severity}, run, at)


def partial_failure(run: str, errors: int, at: datetime) -> Incident:
    """Return the note of a sync that came through although Intercom refused calls to the end."""
    calls = "1 call was given up" if errors == 1 else f"{errors} calls were given up"
    sentence = f"A sync is done, but {calls} after all retries. What is missing waits for the next sync."
    return Incident(PARTIAL_FAILURE, f"{PARTIAL_FAILURE}/{run}", {"sentence": sentence, "errors": errors}, run, at)


def missed_windows(covered: datetime | None, now: datetime) -> Incident | None:
    """Return the note of a gap: six-hour windows that nothing has read although the time for it is over.

    Args:
        covered: the instant up to which syncs have read everything; None before the first full one, when nothing is
            missed yet.
        now: the time.
    """
    due = _last_window_end(now - GRACE)
    if covered is None or covered >= due:
        return None
    windows = -(-(due - covered) // _WINDOW)
    gap = f"{covered.astimezone(UTC):%Y-%m-%d %H:%M} to {due:%Y-%m-%d %H:%M} UTC"
    count = "1 six-hour window" if windows == 1 else f"{windows} six-hour windows"
    sentence = f"No sync has covered {gap} ({count}). The next one takes it in; if none comes, see that Dagster is up."
    key = f"{MISSED_WINDOWS}/{covered.astimezone(UTC).isoformat()}"
    return Incident(MISSED_WINDOWS, key, {"sentence": sentence, "windows": windows}, "", now)


def _last_window_end(moment: datetime) -> datetime:
    seconds = int(_WINDOW.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"
