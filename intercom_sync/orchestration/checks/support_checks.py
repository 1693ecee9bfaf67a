"""The checks on `support_metrics`. Both block: only a bug in the sync can produce such rows."""

from intercom_sync.orchestration.checks.build_checks import Check, no_violations
from intercom_sync.warehouse.queries.violations import CSAT_OUT_OF_RANGE, INCONSISTENT_COUNTS

SUPPORT_CHECKS = (
    Check(
        "counts_consistent",
        "No count is negative, and neither recent nor open conversations exceed the total.",
        no_violations(INCONSISTENT_COUNTS, "Customers with inconsistent counts", "All counts are consistent."),
        blocking=True,
    ),
    Check(
        "csat_in_range",
        "Every mean rating is within 1 to 5.",
        no_violations(
            CSAT_OUT_OF_RANGE, "Customers with a mean rating outside 1 to 5", "All mean ratings are within 1 to 5."
        ),
        blocking=True,
    ),
)
