"""The checks on `unified_customers`. They run after the publish, so none of them blocks."""

from datetime import UTC, datetime, timedelta

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.orchestration.checks.build_checks import Check, no_violations, rejection_result
from intercom_sync.warehouse.postgres.session import Session, read_present
from intercom_sync.warehouse.queries.summaries import customer_counts, last_success
from intercom_sync.warehouse.queries.violations import (
    CONTACT_WITHOUT_CUSTOMER,
    DUPLICATE_EMAILS,
    REQUIRED_FIELD_MISSING,
    SCORE_OUT_OF_RANGE,
    cut_texts,
    find_rejections,
)
from intercom_sync.warehouse.state.runs import watermark

LATE = timedelta(hours=13)
"""Two windows and a sync duration."""


def _none_lost(session: Session, run_id: RunId) -> CheckResult:
    counts = customer_counts(session)
    figures = {"customers": counts.now, "created": counts.created, "marked_deleted": counts.marked, "lost": counts.lost}
    return CheckResult(
        not counts.lost,
        f"Customers deleted by another program since the previous sync: {counts.lost}. Those with a contact are back."
        if counts.lost
        else f"All {counts.now} customers are accounted for.",
        figures,
    )


def _all_written(session: Session, run_id: RunId) -> CheckResult:
    found = find_rejections(session, "customer")
    return rejection_result(
        found, "Customers that the table rejects, see rejected_records", "All customers are written."
    )


def _texts_whole(session: Session, run_id: RunId) -> CheckResult:
    found = cut_texts(session)
    columns = ", ".join(f"{column}: {violations.count}" for column, violations in found.items())
    return CheckResult(
        not found,
        f"Texts truncated because their column is too short; change its type to text: {columns}."
        if found
        else "No text is truncated.",
        {"cut": sum(violations.count for violations in found.values())},
        [example for violations in found.values() for example in violations.examples],
    )


def _fresh(session: Session, run_id: RunId) -> CheckResult:
    now = read_present(session, datetime.now(UTC))
    last, covered = last_success(session, now), watermark(session, now)
    if last is None:
        return CheckResult(False, "No sync has succeeded yet.")
    hours = (now - last).total_seconds() / 3600
    coverage = f" Every change up to {covered:%Y-%m-%d %H:%M} UTC is extracted." if covered else ""
    return CheckResult(
        hours <= LATE.total_seconds() / 3600,
        f"The last successful sync ended at {last:%Y-%m-%d %H:%M} UTC.{coverage}",
        {"hours_since_sync": round(hours, 2)},
    )


CUSTOMER_CHECKS = (
    Check(
        "one_row_per_email",
        "Each email is unique, regardless of case.",
        no_violations(
            DUPLICATE_EMAILS,
            "Duplicate emails",
            "Each email is unique.",
        ),
        error=True,
    ),
    Check(
        "required_fields",
        "Every customer of Intercom has an email, a name and a contact. Rows of other systems are not checked.",
        no_violations(
            REQUIRED_FIELD_MISSING,
            "Customers without email, name or contact",
            "Every customer has email, name and contact.",
        ),
        error=True,
    ),
    Check(
        "score_in_range",
        "Every customer of Intercom has a quality score within 0 to 100.",
        no_violations(
            SCORE_OUT_OF_RANGE,
            "Customers without a score, or with one outside 0 to 100",
            "All scores are within 0 to 100.",
        ),
        error=True,
    ),
    Check(
        "every_contact_counted",
        "Every contact with an email has a customer that is not marked as deleted, unless the table rejects its row.",
        no_violations(
            CONTACT_WITHOUT_CUSTOMER,
            "Emails of contacts without an active customer",
            "Every contact with an email has a customer.",
        ),
        error=True,
    ),
    Check("all_written", "No constraint, type or trigger of the table rejects a customer.", _all_written),
    Check("texts_whole", "No text is truncated to fit a column of another system.", _texts_whole),
    Check(
        "no_customer_lost",
        "No customer disappears except those that a sync marks as deleted.",
        _none_lost,
        error=True,
    ),
    Check("is_fresh", "The last successful sync is no older than 13 hours.", _fresh),
)
