"""What a contact pays, worked out from the rules' sentences with fractions. Knows nothing of the package's own way."""

import json
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from intercom_sync_tests.model.words import STATUSES

MONTHS = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(12, 52), "day": Fraction(12, 365)}


class Broken(Exception):
    """The record breaks a rule."""


def six(value: Fraction) -> Decimal:
    """Rounded half up to six decimals."""
    whole, rest = divmod(abs(value.numerator) * 10**6, value.denominator)
    exact = Decimal(whole) + Decimal(rest) / Decimal(value.denominator)
    rounded = exact.quantize(Decimal(1), ROUND_HALF_UP).scaleb(-6)
    return -rounded if value < 0 else rounded


def number(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Broken("amount")
    try:
        return Fraction(str(value).strip())
    except ValueError:
        raise Broken("amount") from None


def moment(value: Any) -> int:
    if type(value) is not int or not 0 < value < 253_402_300_800:
        raise Broken("timestamp")
    return value


def revenue(attributes: Any) -> dict[str, Any]:
    """The Stripe columns of a contact."""
    if attributes is not None and type(attributes) is not dict:
        raise Broken("custom_attributes")
    attributes = attributes or {}
    return _recurring(attributes) | _paid(attributes) | _flat(attributes)


def _recurring(attributes: dict[str, Any]) -> dict[str, Any]:
    items = _items(attributes, "Stripe Subscriptions", "stripe_subscriptions")
    if items is None:
        return {"mrr": None, "arr": None, "subscription_count": None}
    active = [item for item in items if item.get("status") == "active"]
    total = sum(map(_monthly, active), Fraction(0))
    if total < 0:
        raise Broken("mrr")
    return {"mrr": six(total), "arr": six(total * 12), "subscription_count": len(active)}


def _monthly(item: dict[str, Any]) -> Fraction:
    price = item.get("plan") or item
    amount, interval, count = price.get("amount"), price.get("interval"), price.get("interval_count", 1)
    quantity = item.get("quantity")
    if amount is None or interval not in MONTHS or count < 1:
        raise Broken("price")
    return number(amount) / 100 * (1 if quantity is None else number(quantity)) / (MONTHS[interval] * count)


def _paid(attributes: dict[str, Any]) -> dict[str, Any]:
    items = _items(attributes, "Stripe Payments", "stripe_payments")
    if items is None:
        return {"ltv": None}
    total = sum((number(item.get("amount")) / 100 for item in items if item.get("status") == "succeeded"), Fraction(0))
    if total < 0:
        raise Broken("ltv")
    return {"ltv": six(total)}


def _flat(attributes: dict[str, Any]) -> dict[str, Any]:
    price, charged = attributes.get("stripe_plan_price"), attributes.get("stripe_last_charge_amount")
    status, paid_at = attributes.get("stripe_subscription_status"), attributes.get("stripe_last_charge_at")
    if status is not None and status not in STATUSES:
        raise Broken("status")
    return {
        "stripe_customer_id": attributes.get("stripe_id"),
        "plan_name": attributes.get("stripe_plan"),
        "plan_price": None if price is None else six(number(price)),
        "subscription_status": status,
        "is_delinquent": _truth(attributes.get("stripe_delinquent")),
        "last_payment_amount": None if charged is None else six(number(charged) / 100),
        "last_payment_date": None if paid_at is None else moment(paid_at),
    }


def _truth(value: Any) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def _items(attributes: dict[str, Any], *names: str) -> list[dict[str, Any]] | None:
    value = next((attributes[name] for name in names if attributes.get(name) is not None), None)
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Broken("list") from None
    if isinstance(value, dict):
        found = [value[key] for key in ("instances", "data", "items") if key in value]
        if not found:
            raise Broken("list")
        value = found[0]
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Broken("list")
    return [{**item, **(item.get("custom_attributes") or {})} for item in value]
