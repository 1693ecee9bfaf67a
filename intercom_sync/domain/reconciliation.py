"""What a check finds: the verdict, and the verdicts that follow from the figures of readings alone.

Pure. Questions to the tables are asked in `warehouse.queries.violations` and `warehouse.state.stream_stats`; what
Dagster does with a verdict stands in `checks`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from intercom_sync.domain.clocks import Clocks, describe_offset

MIN_SAMPLE = 100
"""Below so many records half of them may come or go without anything being wrong."""


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        passed: whether all is well.
        sentence: what was found, and what to do.
        figures: numbers under stable names, which the UI plots.
        examples: ids of records or masked emails.
    """

    passed: bool
    sentence: str
    metrics: Mapping[str, int | float] = field(default_factory=dict)
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class StreamStats:
    """What a reading brought of one stream; None is unknown. The attributes are the columns of `sync_stream_stats`."""

    extraction_id: str
    kind: str
    run_id: str
    records_seen: int = 0
    rejected: int = 0
    without_email: int = 0
    total: int | None = None
    matched: int | None = None
    rows_after: int = 0
    deleted: int = 0
    parts_failed: int = 0
    ignored_ratings: int = 0
    late_arrivals: int = 0
    late_arrival_ids: Sequence[str] = ()
    scan_misses: int = 0
    scan_miss_ids: Sequence[str] = ()


def not_all_rejected(brought: StreamStats) -> CheckResult:
    """Whether anything that was read can be used: if nothing can, the API's answers have another shape."""
    passed = brought.records_seen < MIN_SAMPLE or brought.rejected < brought.records_seen
    return CheckResult(
        passed,
        f"{brought.records_seen - brought.rejected} of {brought.records_seen} {brought.kind}s read can be used."
        + ("" if passed else " Every one was refused, so nothing is written: see rejected_records for the reasons."),
        {"records_seen": brought.records_seen, "records_rejected": brought.rejected},
    )


def reconciled(brought: StreamStats, full: bool) -> CheckResult:
    """Whether what is known here is no less than Intercom counted, and a full reading brought all that is there.

    A full reading must have it all. Of a window a hundredth may be amiss: records that change while they are read
    leave it, and come with the next one.
    """
    if brought.scan_misses:
        return CheckResult(
            False,
            f"The full read did not bring {brought.scan_misses} {brought.kind}s that are there when asked for alone. "
            "They are landed; if they are missing again, Intercom's search leaves them out.",
            {"scan_misses": brought.scan_misses},
            tuple(brought.scan_miss_ids),
        )
    if brought.total is None or brought.matched is None:
        return CheckResult(True, "Nothing to compare: Intercom gave no count, or no full sync came before this window.")
    missing = max(0, brought.total - brought.matched)
    passed = missing <= (0 if full else brought.total // 100)
    sentence = f"Intercom counts {brought.total} {brought.kind}s where {brought.matched} are known here."
    return CheckResult(
        passed,
        sentence if passed else f"{sentence} Run a full sync; if it stays, Intercom's search and its count disagree.",
        {"intercom_total": brought.total, "matched": brought.matched, "missing": missing},
    )


def no_late_arrivals(brought: StreamStats) -> CheckResult:
    """Whether a full reading found records that the windows before it should have brought."""
    if not brought.late_arrivals:
        return CheckResult(True, "Nothing was found that an earlier window should have brought.", {"late_arrivals": 0})
    return CheckResult(
        False,
        f"{brought.kind.capitalize()}s found by the full sync that earlier windows should have brought: "
        f"{brought.late_arrivals}. They are landed now; widen INTERCOM_SYNC_OVERLAP_MINUTES if its search is "
        "that late.",
        {"late_arrivals": brought.late_arrivals},
        tuple(brought.late_arrival_ids),
    )


def no_volume_drop(since: Sequence[StreamStats], held_before: int | None, full: bool) -> CheckResult:
    """Whether most of what Intercom counts was read, and most of what the last successful sync held is still there.

    A full reading that finds less than half is not believed, nor any window after it, until a second full one agrees.

    Args:
        since: the readings since then, oldest first, the judged one last.
        held_before: what was held then; None when no sync has succeeded yet.
        full: whether the judged reading is a full one.
    """
    judged, lost = since[-1], sum(one.deleted for one in since)
    figures = {"rows_after": judged.rows_after, "deleted": lost}
    if (
        full
        and judged.total is not None
        and judged.matched is not None
        and max(MIN_SAMPLE, judged.matched * 2) < judged.total
    ):
        return CheckResult(
            False,
            f"A full sync read {judged.matched} of the {judged.total} {judged.kind}s that Intercom counts, so nothing "
            "is written. Run it again.",
            figures,
        )
    if held_before is None or held_before < MIN_SAMPLE or lost * 2 <= held_before:
        return CheckResult(True, f"{judged.rows_after} {judged.kind}s are held.", figures)
    if full and len(since) > 1 and judged.deleted * 2 <= judged.rows_after + judged.deleted:
        return CheckResult(
            True, f"A second full reading agrees that {judged.rows_after} {judged.kind}s are there.", figures
        )
    return CheckResult(
        False,
        f"Of {held_before} {judged.kind}s held after the last successful sync {lost} are gone, so nothing is written. "
        "Check that INTERCOM_API_KEY is of the right workspace. If they were really deleted, run a full sync again: "
        "two full readings that agree are believed.",
        figures | {"rows_before": held_before},
    )


def clocks_agree(clocks: Clocks, present: datetime, future_instants: int) -> CheckResult:
    """Whether every clock said the present when a run began, and no stored instant was later than that."""
    off = clocks.off(present)
    problems = [f"the clock of {name} is {describe_offset(by)}" for name, by in off.items()]
    if future_instants:
        problems.append(f"{future_instants} stored instants were later than the present and have been corrected")
    sentence = f"{'; '.join(problems)}. The sync went by {present:%Y-%m-%d %H:%M:%S} UTC. Set the clock right."
    return CheckResult(
        not problems,
        sentence[0].upper() + sentence[1:] if problems else "All clocks agree within a minute.",
        {
            "future_instants": future_instants,
            "seconds_off": max((abs(by.total_seconds()) for by in off.values()), default=0.0),
        },
    )
