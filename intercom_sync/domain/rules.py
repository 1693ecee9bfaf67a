"""The rules that a workspace can configure: attribute names, units, phrases, statuses, thresholds.

`settings` fills them from the environment. Constants of the product, such as the 30 days of a cancel mention, are not
configurable.
"""

import hashlib
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Literal

from intercom_sync.domain.revenue.money import DEFAULT_CURRENCY
from intercom_sync.domain.rule_versions import MATCHING, PARSING, REVENUE, TEXT

WEB_APPS = {
    "us": "https://app.intercom.com",
    "eu": "https://app.eu.intercom.com",
    "au": "https://app.au.intercom.com",
}
"""Base URL of Intercom's web app by region, for links."""

DAY = 86_400
RECENT_DAYS = 30
SEEN_DAYS = 7

SUBSCRIPTION_STATUSES = (
    "incomplete",
    "incomplete_expired",
    "trialing",
    "active",
    "past_due",
    "canceled",
    "unpaid",
    "paused",
)
CANCEL_WORDS = (
    "cancel",
    "cancellation",
    "cancelling",
    "churn",
    "leaving",
    "switching",
    "not renewing",
    "won't renew",
)


@dataclass(frozen=True)
class AttributeNames:
    """Name the Stripe attributes in a contact's `custom_attributes`.

    `subscriptions` and `payments` are looked up under the configured name first, then under the known aliases.
    """

    stripe_id: str = "stripe_id"
    plan: str = "stripe_plan"
    plan_price: str = "stripe_plan_price"
    subscription_status: str = "stripe_subscription_status"
    delinquent: str = "stripe_delinquent"
    last_charge_amount: str = "stripe_last_charge_amount"
    last_charge_at: str = "stripe_last_charge_at"
    subscriptions: str = "Stripe Subscriptions"
    payments: str = "Stripe Payments"


@dataclass(frozen=True)
class Rules:
    """Hold the configured rules of a workspace.

    Attributes:
        attributes: names of the Stripe attributes.
        statuses: allowed subscription statuses; any other makes a contact invalid.
        count_quantity: whether MRR multiplies a plan's amount by the subscription's quantity.
        last_charge_unit: unit of the flat last charge amount in Intercom.
        currency: the workspace's currency; a check lists customers in another one.
        cancel_words: phrases that count as a cancel mention.
        high_value_mrr: dollars a month above which a customer is of high value.
        mrr_change_ratio: share of the previous MRR above which a change makes an alert.
        app: base URL of Intercom's web app in the workspace's region, for links in alerts; empty when no setting names
            the region, so that it is read from Intercom.
    """

    attributes: AttributeNames = field(default_factory=AttributeNames)
    statuses: tuple[str, ...] = SUBSCRIPTION_STATUSES
    count_quantity: bool = True
    last_charge_unit: Literal["cents", "dollars"] = "cents"
    currency: str = DEFAULT_CURRENCY
    cancel_words: tuple[str, ...] = CANCEL_WORDS
    high_value_mrr: Decimal = Decimal(500)
    mrr_change_ratio: Decimal = Decimal("0.5")
    app: str = WEB_APPS["us"]

    def contact_rules_hash(self) -> str:
        """Return the hash of the rules that parse contacts; stored contacts with another hash are parsed again."""
        versions = PARSING.version, REVENUE.version
        return _digest(versions, self.attributes, self.statuses, self.count_quantity, self.last_charge_unit)

    def message_rules_hash(self) -> str:
        """Return the hash of the rules that give a landed message its text and its cancel mention."""
        return f"{text_version()}{_digest(MATCHING.version, self.cancel_words)}"


def text_version() -> str:
    """Return the prefix of `message_rules_hash` that identifies the version of the text rule."""
    return f"{TEXT.version}."


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def attribute_fields() -> tuple[str, ...]:
    """Return the names of the configurable attributes, in order."""
    return tuple(f.name for f in fields(AttributeNames))
