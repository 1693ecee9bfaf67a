"""Check results from stream statistics and clocks: reconcile an extraction's counts with Intercom's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from intercom_sync.domain.clocks import Clocks, describe_offset
from intercom_sync.domain.identifiers import ExtractionId, RunId
from intercom_sync.domain.record_kinds import RecordKind

MIN_SAMPLE = 100
"""Below this number of records, large relative changes are normal."""


@dataclass(frozen=True)
class CheckResult:
    """Hold the result of a check.

    Attributes:
        passed: whether the check passed.
        sentence: the finding, and what to do.
        metrics: numbers under stable names, which the UI plots.
        examples: ids of records or masked emails.
    """

    passed: bool
    sentence: str
    metrics: Mapping[str, int | float] = field(default_factory=dict)
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class StreamStats:
    """Hold an extraction's statistics of one stream, the columns of `sync_stream_stats`; None is unknown."""

    extraction_id: ExtractionId
    kind: RecordKind
    run_id: RunId
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


def not_all_rejected(stats: StreamStats) -> CheckResult:
    """Check that some record is valid; if all are rejected, the API's answers have probably changed their shape."""
    passed = stats.records_seen < MIN_SAMPLE or stats.rejected < stats.records_seen
    return CheckResult(
        passed,
        f"{stats.records_seen - stats.rejected} of {stats.records_seen} extracted {stats.kind.plural} are valid."
        + ("" if passed else " All were rejected, so nothing is written: see rejected_records for the reasons."),
        {"records_seen": stats.records_seen, "records_rejected": stats.rejected},
    )


def reconciled(stats: StreamStats, full: bool) -> CheckResult:
    """Check that the stored records are no fewer than Intercom's count, and that a full scan missed none.

    A full scan must match exactly. A window may lack 1 %, because records that change during the scan leave the window
    and arrive with the next one.
    """
    if stats.scan_misses:
        return CheckResult(
            False,
            f"The full scan did not return {stats.scan_misses} {stats.kind.plural} that a fetch by id returns. "
            "They are landed. If they are missing again, Intercom's search omits them.",
            {"scan_misses": stats.scan_misses},
            tuple(stats.scan_miss_ids),
        )
    if stats.total is None or stats.matched is None:
        return CheckResult(True, "Nothing to compare: Intercom gave no count, or no full sync preceded this window.")
    missing = max(0, stats.total - stats.matched)
    passed = missing <= (0 if full else stats.total // 100)
    sentence = f"Intercom counts {stats.total} {stats.kind.plural}, and {stats.matched} are stored."
    return CheckResult(
        passed,
        sentence
        if passed
        else f"{sentence} Run a full sync. If the difference remains, Intercom's search and its count disagree.",
        {"intercom_total": stats.total, "matched": stats.matched, "missing": missing},
    )


def no_late_arrivals(stats: StreamStats) -> CheckResult:
    """Check that a full scan found no record that an earlier window should have returned."""
    if not stats.late_arrivals:
        return CheckResult(True, "Earlier windows returned every record.", {"late_arrivals": 0})
    return CheckResult(
        False,
        f"The full sync found {stats.late_arrivals} {stats.kind.plural} that earlier windows should have returned. "
        "They are landed. If this repeats, increase INTERCOM_SYNC_OVERLAP_MINUTES: Intercom's search index is late.",
        {"late_arrivals": stats.late_arrivals},
        tuple(stats.late_arrival_ids),
    )


def no_volume_drop(since: Sequence[StreamStats], rows_before: int | None, full: bool) -> CheckResult:
    """Check that at least half of Intercom's records were extracted, and half of the stored ones are left.

    After a larger drop the check fails for every extraction until a second full one confirms it.

    Args:
        since: statistics of the extractions since the last successful sync, oldest first; the last one is checked.
        rows_before: rows after that sync; None when no sync has succeeded yet.
        full: whether the checked extraction is a full one.
    """
    current, deleted = since[-1], sum(stats.deleted for stats in since)
    metrics = {"rows_after": current.rows_after, "deleted": deleted}
    if (
        full
        and current.total is not None
        and current.matched is not None
        and max(MIN_SAMPLE, current.matched * 2) < current.total
    ):
        return CheckResult(
            False,
            f"A full sync extracted {current.matched} of the {current.total} {current.kind.plural} that Intercom "
            "counts, so nothing is written. Run it again.",
            metrics,
        )
    if rows_before is None or rows_before < MIN_SAMPLE or deleted * 2 <= rows_before:
        return CheckResult(True, f"{current.rows_after} {current.kind.plural} are stored.", metrics)
    if full and len(since) > 1 and current.deleted * 2 <= current.rows_after + current.deleted:
        return CheckResult(
            True, f"A second full extraction confirms the count of {current.rows_after} {current.kind.plural}.", metrics
        )
    return CheckResult(
        False,
        f"{deleted} of the {rows_before} {current.kind.plural} stored after the last successful sync are gone, so "
        "nothing is written. Check that INTERCOM_API_KEY belongs to the right workspace. If they were really deleted, "
        "run a full sync again: a second full extraction that finds the same is accepted.",
        metrics | {"rows_before": rows_before},
    )


def clocks_agree(clocks: Clocks, present: datetime, future_instants: int) -> CheckResult:
    """Check that all clocks agreed at the start of a run, and that no stored instant was in the future."""
    off = clocks.off(present)
    problems = [f"the clock of {name} is {describe_offset(offset)}" for name, offset in off.items()]
    if future_instants:
        problems.append(f"{future_instants} stored times were in the future and have been corrected")
    sentence = f"{'; '.join(problems)}. The sync used {present:%Y-%m-%d %H:%M:%S} UTC. Correct the clock."
    return CheckResult(
        not problems,
        sentence[0].upper() + sentence[1:] if problems else "All clocks agree within a minute.",
        {
            "future_instants": future_instants,
            "seconds_off": max((abs(offset.total_seconds()) for offset in off.values()), default=0.0),
        },
    )
