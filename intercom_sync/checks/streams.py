"""What is asked of contacts and of conversations alike: whether the reading that brought them can be trusted."""

from collections.abc import Callable
from functools import partial

from intercom_sync.checks.declare import Check
from intercom_sync.domain import verdicts
from intercom_sync.domain.verdicts import Brought, Verdict
from intercom_sync.warehouse import streams
from intercom_sync.warehouse.session import Session

_NOTHING_YET = Verdict(True, "Nothing has been read yet.")


def checks_of_reading(kind: str) -> list[Check]:
    """Return the checks that judge what a reading brought; the blocking ones keep a broken reading from customers."""
    return [
        Check(
            "record_count_reconciled",
            "What is known here is no less than Intercom's own count for the same question: all of a full read, and "
            "of a window all but the hundredth that may change while it is read. Nothing that a full read leaves out "
            "is there when asked for alone.",
            partial(_of_reading, kind, verdicts.reconciled),
        ),
        Check(
            "no_late_arrivals",
            "A full sync finds nothing that changed inside windows already read and was not landed by them.",
            partial(_of_reading, kind, lambda brought, full: verdicts.found_late(brought)),
        ),
        Check(
            "not_all_rejected",
            "Something of what was read can be used; if nothing can, Intercom's answers have another shape.",
            partial(_of_reading, kind, lambda brought, full: verdicts.usable(brought)),
            blocking=True,
        ),
        Check(
            "no_volume_drop",
            "Most of what Intercom counts was read, and most of what the last successful sync held is there; a full "
            "read that finds less is believed when a second one agrees.",
            partial(_volume, kind),
            blocking=True,
        ),
    ]


def _of_reading(kind: str, judge: Callable[[Brought, bool], Verdict], session: Session, run: str) -> Verdict:
    judged = streams.judged(session, run, kind)
    return judge(*judged) if judged else _NOTHING_YET


def _volume(kind: str, session: Session, run: str) -> Verdict:
    judged = streams.judged(session, run, kind)
    if judged is None:
        return _NOTHING_YET
    brought, full = judged
    since, held_before = streams.since_success(session, brought)
    return verdicts.still_held(since, held_before, full)
