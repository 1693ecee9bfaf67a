"""The checks on `support_metrics`. Both block: such rows can only come of a fault in the sync itself."""

from intercom_sync.orchestration.checks.build_checks import Check, build_checks, no_violations

CHECKS = (
    Check(
        "counts_consistent",
        "No count is negative, and neither recent nor open conversations exceed the total.",
        no_violations(
            "SELECT email_key FROM support_metrics WHERE intercom_convos_30d > intercom_convos_total "
            "OR open_tickets > intercom_convos_total OR LEAST(intercom_convos_30d, open_tickets) < 0",
            "Customers whose counts contradict each other",
            "All counts agree.",
            personal=True,
        ),
        blocking=True,
    ),
    Check(
        "csat_in_range",
        "Every mean rating is within 1 to 5.",
        no_violations(
            "SELECT email_key FROM support_metrics WHERE csat_score NOT BETWEEN 1 AND 5",
            "Customers with a mean rating outside 1 to 5",
            "All ratings lie within 1 to 5.",
            personal=True,
        ),
        blocking=True,
    ),
)
support_metrics_checks = build_checks("support_metrics", CHECKS)
