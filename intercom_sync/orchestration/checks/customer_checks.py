"""The checks on `unified_customers`. The rows are written when these run, so none of them can block: they tell."""

from datetime import UTC, datetime, timedelta

from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.orchestration.checks.build_checks import Check, build_checks, no_violations
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
"""Two windows and the time that the second one takes."""


def _none_lost(session: Session, run: str) -> CheckResult:
    found = customer_counts(session)
    figures = {"customers": found.now, "created": found.created, "marked_deleted": found.marked, "lost": found.lost}
    return CheckResult(
        not found.lost,
        f"Customers that another program removed since the sync before: {found.lost}. Those with a contact are back."
        if found.lost
        else f"All {found.now} customers are accounted for.",
        figures,
    )


def _all_written(session: Session, run: str) -> CheckResult:
    found = find_rejections(session, "customer")
    number = sum(one.count for one in found.values())
    reasons = "; ".join(f"{reason}: {one.count}" for reason, one in found.items())
    return CheckResult(
        not number,
        f"Customers that the table does not take, see rejected_records: {reasons}." if number else "All are written.",
        {"rejected": number},
        [example for one in found.values() for example in one.examples],
    )


def _texts_whole(session: Session, run: str) -> CheckResult:
    found = cut_texts(session)
    columns = ", ".join(f"{column}: {one.count}" for column, one in found.items())
    return CheckResult(
        not found,
        f"Texts that are cut because their column is too short; make it text: {columns}." if found else "None is cut.",
        {"cut": sum(one.count for one in found.values())},
        [example for one in found.values() for example in one.examples],
    )


def _fresh(session: Session, run: str) -> CheckResult:
    now = read_present(session, datetime.now(UTC))
    last, covered = last_success(session, now), watermark(session, now)
    if last is None:
        return CheckResult(False, "No sync has succeeded yet.")
    hours = (now - last).total_seconds() / 3600
    reach = f" Everything up to {covered:%Y-%m-%d %H:%M} UTC has been read." if covered else ""
    return CheckResult(
        hours <= LATE.total_seconds() / 3600,
        f"The last sync was done at {last:%Y-%m-%d %H:%M} UTC.{reach}",
        {"hours_since_sync": round(hours, 2)},
    )


CHECKS = (
    Check(
        "one_row_per_email",
        "Each email is unique, regardless of case.",
        no_violations(
            DUPLICATE_EMAILS,
            "Emails that stand more than once",
            "Each email stands once.",
        ),
        error=True,
    ),
    Check(
        "required_fields",
        "Every customer of Intercom has an email, a name and a contact. Rows of other systems are not checked.",
        no_violations(
            REQUIRED_FIELD_MISSING,
            "Customers that lack their email, name or contact",
            "No customer lacks one.",
        ),
        error=True,
    ),
    Check(
        "score_in_range",
        "Every customer of Intercom has a quality score within 0 to 100.",
        no_violations(
            SCORE_OUT_OF_RANGE,
            "Customers without a score, or with one outside 0 to 100",
            "All scores lie within 0 to 100.",
        ),
        error=True,
    ),
    Check(
        "every_contact_counted",
        "Every contact with an email has a customer that is not marked as deleted, unless the table rejects its row.",
        no_violations(
            CONTACT_WITHOUT_CUSTOMER,
            "Emails of contacts without a living customer",
            "Every contact with an email has its customer.",
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
unified_customers_checks = build_checks("unified_customers", CHECKS)
