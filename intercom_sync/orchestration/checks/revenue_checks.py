"""The checks on `revenue_metrics`."""

from intercom_sync.domain.reconciliation import CheckResult
from intercom_sync.domain.revenue.money import THREE_DECIMAL
from intercom_sync.orchestration.checks.build_checks import (
    Check,
    CheckFunction,
    build_checks,
    no_violations,
    none_of,
    rejection_result,
)
from intercom_sync.settings import Settings
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.queries.violations import find_rejections, find_violations

_NEGATIVE = ("MRR is below 0", "LTV is below 0")
_STATUS = ("subscription status is not an allowed one",)
_PRICE = ("active subscription without a usable price",)
_AMOUNT = ("amount is not a number", "amount is too large", "list of the wrong shape")
_SHAPE = ("custom_attributes of the wrong shape",)
_THREE_DECIMAL = ", ".join(f"'{currency}'" for currency in sorted(THREE_DECIMAL))
REASONS = (*_NEGATIVE, *_STATUS, *_PRICE, *_AMOUNT, *_SHAPE)


def _refused_or_found(reasons: tuple[str, ...], query: str, wrong: str) -> CheckFunction:
    """Return the question whether contacts are refused for these reasons, or a row was computed that breaks them."""

    def ask(session: Session, run: str) -> CheckResult:
        found = find_violations(session, query)
        if found.count:
            return none_of(found, wrong, "")
        return rejection_result(find_rejections(session, "contact", reasons), "contact")

    return ask


def _statuses(session: Session, run: str) -> CheckResult:
    allowed = Settings.load().rules.statuses
    names = ", ".join("'" + status.replace("'", "''") + "'" for status in allowed) or "NULL"
    return _refused_or_found(
        _STATUS,
        f"SELECT contact_id FROM revenue_metrics WHERE subscription_status NOT IN ({names})",
        "Contacts with a subscription status that is not allowed",
    )(session, run)


def _currencies(session: Session, run: str) -> CheckResult:
    currency = Settings.load().rules.currency
    query = "SELECT contact_id FROM revenue_metrics WHERE EXISTS (SELECT FROM unnest(currencies) c WHERE c <> $1)"
    found = find_violations(session, query, currency)
    wrong = f"Contacts that pay in another currency than {currency}, or in several"
    return none_of(found, wrong, f"Nobody pays in another currency than {currency}.")


CHECKS = (
    Check(
        "amounts_not_negative",
        "No MRR and no LTV is below 0.",
        _refused_or_found(
            _NEGATIVE,
            "SELECT contact_id FROM revenue_metrics WHERE mrr < 0 OR ltv < 0",
            "Contacts with an MRR or LTV below 0",
        ),
    ),
    Check("statuses_allowed", "Every subscription status is one of the allowed ones.", _statuses),
    Check(
        "active_subscriptions_priced",
        "Every active subscription has a known price. Tiered prices have no amount, and long lists are truncated: "
        "the MRR of such a contact is unknown, which is not 0.",
        _refused_or_found(
            _PRICE,
            "SELECT contact_id FROM revenue_metrics WHERE subscription_count > 0 AND mrr IS NULL",
            "Contacts whose MRR is unknown, for an amount of an active subscription cannot be known",
        ),
    ),
    Check(
        "amounts_readable",
        "Every amount is a number, and the Stripe lists have a known shape.",
        _refused_or_found(
            (*_AMOUNT, *_SHAPE),
            "SELECT contact_id FROM revenue_metrics WHERE 'NaN'::numeric IN (mrr, arr, ltv, last_payment_amount)",
            "Contacts with an amount that is not a number",
        ),
    ),
    Check(
        "last_payment_unit",
        "The last payment and the newest succeeded payment do not differ by a factor of exactly 100 (1,000 in "
        "currencies with three decimals), which would mean that INTERCOM_SYNC_LAST_CHARGE_UNIT is wrong.",
        no_violations(
            "SELECT contact_id FROM (SELECT *, CASE WHEN currency "
            f"IN ({_THREE_DECIMAL}) THEN 1000 ELSE 100 END AS units FROM revenue_metrics) r "
            "WHERE newest_payment_amount > 0 "
            "AND last_payment_amount IN (newest_payment_amount * units, round(newest_payment_amount / units, 6))",
            "Contacts whose last payment is 100 times or a hundredth of the newest one (see "
            "INTERCOM_SYNC_LAST_CHARGE_UNIT)",
            "The unit of the last payment is right.",
        ),
    ),
    Check(
        "currencies_not_mixed",
        "Every contact pays in the workspace's currency (INTERCOM_SYNC_CURRENCY). Amounts are not converted, and "
        "totals exclude other currencies.",
        _currencies,
    ),
)
revenue_metrics_checks = build_checks("revenue_metrics", CHECKS)
