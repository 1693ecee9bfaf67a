"""The checks on `revenue_metrics`."""

from collections.abc import Sequence
from functools import partial

from intercom_sync.domain.identifiers import RunId
from intercom_sync.domain.parsing import RejectionReason
from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.orchestration.checks.build_checks import (
    Check,
    CheckFunction,
    no_rejections,
    no_violations,
    none_of,
)
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import (
    AMOUNT_NOT_A_NUMBER,
    LAST_PAYMENT_IN_OTHER_UNIT,
    NEGATIVE_REVENUE,
    OTHER_CURRENCY,
    UNKNOWN_MRR,
    ViolationQuery,
    find_violations,
    status_not_in,
)

_NEGATIVE = (RejectionReason.NEGATIVE_MRR, RejectionReason.NEGATIVE_LTV)
_STATUS = (RejectionReason.SUBSCRIPTION_STATUS,)
_PRICE = (RejectionReason.NO_PRICE,)
_AMOUNT = (
    RejectionReason.AMOUNT_NOT_A_NUMBER,
    RejectionReason.AMOUNT_TOO_LARGE,
    RejectionReason.LIST_SHAPE,
    RejectionReason.ATTRIBUTES_SHAPE,
)
REASONS = (*_NEGATIVE, *_STATUS, *_PRICE, *_AMOUNT)


def _no_rejections_or_violations(
    reasons: tuple[RejectionReason, ...], query: ViolationQuery, failed: str
) -> CheckFunction:
    """Return a check that no contact is rejected for these reasons and no computed row violates the same rule."""

    def check(session: Session, run_id: RunId) -> CheckResult:
        found = find_violations(session, query)
        return (
            none_of(found, failed, "") if found.count else no_rejections(RecordKind.CONTACT, reasons)(session, run_id)
        )

    return check


def _statuses(allowed: Sequence[str], session: Session, run_id: RunId) -> CheckResult:
    failed = "Contacts with a subscription status that is not allowed"
    return _no_rejections_or_violations(_STATUS, status_not_in(allowed), failed)(session, run_id)


def _currencies(currency: str, session: Session, run_id: RunId) -> CheckResult:
    found = find_violations(session, OTHER_CURRENCY, currency)
    failed = f"Contacts that pay in a currency other than {currency}, or in several"
    return none_of(found, failed, f"All contacts pay in {currency}.")


def revenue_checks(rules: Rules) -> tuple[Check, ...]:
    """Return the checks on revenue by the rules of the workspace."""
    return (
        Check(
            "amounts_not_negative",
            "No MRR and no LTV is below 0.",
            _no_rejections_or_violations(
                _NEGATIVE,
                NEGATIVE_REVENUE,
                "Contacts with an MRR or LTV below 0",
            ),
        ),
        Check(
            "statuses_allowed",
            "Every subscription status is one of the allowed ones.",
            partial(_statuses, rules.statuses),
        ),
        Check(
            "active_subscriptions_priced",
            "Every active subscription has a known price. Tiered prices have no amount, and long lists are truncated: "
            "the MRR of such a contact is unknown, which is not 0.",
            _no_rejections_or_violations(
                _PRICE,
                UNKNOWN_MRR,
                "Contacts whose MRR is unknown, because an active subscription has no known amount",
            ),
        ),
        Check(
            "amounts_readable",
            "Every amount is a number, and the Stripe lists have a known shape.",
            _no_rejections_or_violations(
                _AMOUNT,
                AMOUNT_NOT_A_NUMBER,
                "Contacts with an amount that is not a number",
            ),
        ),
        Check(
            "last_payment_unit",
            "The last payment and the newest succeeded payment do not differ by a factor of exactly 100 (1,000 in "
            "currencies with three decimals), which would mean that INTERCOM_SYNC_LAST_CHARGE_UNIT is wrong.",
            no_violations(
                LAST_PAYMENT_IN_OTHER_UNIT,
                "Contacts whose last payment differs from the newest one by a factor of 100 (see "
                "INTERCOM_SYNC_LAST_CHARGE_UNIT)",
                "The unit of the last payment is correct.",
            ),
        ),
        Check(
            "currencies_not_mixed",
            "Every contact pays in the workspace's currency (INTERCOM_SYNC_CURRENCY). Amounts are not converted, and "
            "totals exclude other currencies.",
            partial(_currencies, rules.currency),
        ),
    )
