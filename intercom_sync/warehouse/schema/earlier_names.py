"""Names of tables, columns, indexes and checks in release 0001, mapped to their names since revision 0002."""

from collections.abc import Mapping

BEFORE = (None, "0001")
"""Versions of a schema whose tables may have the earlier names."""

TABLES = {
    "sync_readings": "sync_extractions",
    "sync_reads": "sync_seen_ids",
    "sync_marks": "sync_checkpoints",
    "sync_streams": "sync_stream_stats",
    "customer_writes": "customer_last_written",
    "check_verdicts": "check_states",
    "forgotten": "suppression_list",
}
_RULES = {"rules": "rules_hash"}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "customer_alerts": {"refusals": "refusal_count", "dedupe": "dedupe_key"},
    "check_states": {"told_at": "notified_at"},
    "rejected_records": _RULES,
    "sync_runs": {"run": "run_id"},
    "sync_stream_stats": {
        "reading": "extraction_id", "run": "run_id", "read": "records_seen", "refused": "rejected",
        "known": "matched", "held": "rows_after", "gone": "deleted", "given_up": "parts_failed",
        "missed": "late_arrivals", "missed_ids": "late_arrival_ids",
        "overlooked": "scan_misses", "overlooked_ids": "scan_miss_ids",
    },
    "intercom_conversations": {"parts_version": "parts_fetched_version", "parts_wanted": "parts_pending"},
    "intercom_messages": _RULES,
    "revenue_metrics": _RULES,
    "sync_extractions": {"reading": "extraction_id", "run": "run_id", "begun_at": "started_at"},
    "sync_seen_ids": {"reading": "extraction_id"},
    "sync_checkpoints": {"reading": "extraction_id", "walk": "cursor", "mark": "state"},
    "sync_workers": {"run": "run_id", "alive_at": "heartbeat_at"},
    "suppression_list": {"mark": "identifier"},
}  # fmt: skip
INDEXES = {
    "customer_alerts_dedupe": "customer_alerts_dedupe_key",
    "customer_alerts_waiting": "customer_alerts_pending",
}
_OF_BOTH_STREAMS = {
    "total_reconciled": "record_count_reconciled",
    "windows_complete": "no_late_arrivals",
    "batch_usable": "not_all_rejected",
    "volume_held": "no_volume_drop",
}
CHECKS = {
    **{f"{asset}/{old}": f"{asset}/{new}" for asset in ("raw_contacts", "raw_conversations")
       for old, new in _OF_BOTH_STREAMS.items()},
    "unified_customers/fresh": "unified_customers/is_fresh",
}  # fmt: skip
NAMES = (*TABLES, *INDEXES, *(f"{name}_pkey" for names in TABLES.items() for name in names))
"""Names to look up besides the catalogue's: the earlier names, and the names of primary keys."""
