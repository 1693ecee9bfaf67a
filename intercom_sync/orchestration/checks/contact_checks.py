"""The checks on `raw_contacts`."""

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parsing import RejectionReason
from intercom_sync.domain.reconciliation import MIN_SAMPLE, CheckResult, clocks_agree
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.orchestration.checks.build_checks import Check, ids_unique, no_rejections
from intercom_sync.orchestration.checks.extraction_checks import extraction_checks
from intercom_sync.orchestration.checks.revenue_checks import REASONS as REVENUE_REASONS
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.summaries import email_shares
from intercom_sync.warehouse.state.runs import newest_with_clocks

_OF_OTHER_CHECKS = (RejectionReason.EMAIL, RejectionReason.TIMESTAMP, *REVENUE_REASONS)


def _emails_present(session: Session, run_id: RunId) -> CheckResult:
    shares = email_shares(session)
    users_without_email = shares.users - shares.users_with_email
    figures = {
        "contacts": shares.contacts,
        "contacts_without_email": shares.contacts - shares.with_email,
        "users_without_email": users_without_email,
        "share_without_email": round(1 - shares.with_email / shares.contacts, 4) if shares.contacts else 0.0,
    }
    return CheckResult(
        shares.users < MIN_SAMPLE or users_without_email * 2 <= shares.users,
        f"{figures['contacts_without_email']} of {shares.contacts} contacts have no email and do not become customers, "
        f"including {users_without_email} of {shares.users} users.",
        figures,
    )


def _clocks_agree(session: Session, run_id: RunId) -> CheckResult:
    run_clocks = newest_with_clocks(session, run_id)
    if run_clocks is None or run_clocks.clocks is None:
        return CheckResult(True, "No sync has compared the clocks yet.")
    return clocks_agree(run_clocks.clocks, run_clocks.started_at, run_clocks.future_instants)


CONTACT_CHECKS = (
    Check("ids_unique", "Each contact id is unique.", ids_unique(RecordKind.CONTACT)),
    Check(
        "emails_valid",
        "No contact is rejected for an invalid email. Rejected emails are shown masked.",
        no_rejections(RecordKind.CONTACT, [RejectionReason.EMAIL]),
    ),
    Check(
        "emails_present",
        "At least half of the users have an email. Leads without one are common and only counted.",
        _emails_present,
    ),
    Check(
        "timestamps_valid",
        "No contact is rejected for a timestamp that is not a positive integer.",
        no_rejections(RecordKind.CONTACT, [RejectionReason.TIMESTAMP]),
    ),
    Check(
        "records_usable",
        "No contact is rejected for an invalid structure; Stripe data is checked at revenue_metrics.",
        no_rejections(RecordKind.CONTACT, _OF_OTHER_CHECKS, others=True),
    ),
    Check(
        "clocks_agree",
        "The clocks of the machine, the database and Intercom agree within a minute; no stored timestamp is later.",
        _clocks_agree,
    ),
    *extraction_checks(RecordKind.CONTACT),
)
