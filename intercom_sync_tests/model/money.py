"""The expected revenue of a contact, computed from the rules with fractions, independently of the package's code."""

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

from intercom_sync_tests.model.words import STATUSES

MONTHS = {"month": Fraction(1), "year": Fraction(12), "week": Fraction(12, 52), "day": Fraction(12, 365)}
MINOR_UNITS = {"jpy": 1, "krw": 1, "vnd": 1, "kwd": 1000, "bhd": 1000}  # other generated currencies: hundredths
MOST = 10**18


class Broken(Exception):
    """The record violates a rule."""


def six(value: Fraction) -> Decimal:
    """Round half up to six decimals."""
    whole, rest = divmod(abs(value.numerator) * 10**6, value.denominator)
    exact = Decimal(whole) + Decimal(rest) / Decimal(value.denominator)
    rounded = exact.quantize(Decimal(1), ROUND_HALF_UP).scaleb(-6)
    return -rounded if value < 0 else rounded


def number(value: Any) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Broken("amount")
    if isinstance(value, int) and abs(value) >= 10**34:
        raise Broken("amount")
    try:
        return Fraction(str(value).strip())
    except ValueError:
        raise Broken("amount") from None


def sane(value: Fraction) -> Fraction:
    """Return an amount, if it is plausible."""
    if not -MOST < value < MOST:
        raise Broken("bound")
    return value


def moment(value: Any) -> int:
    if type(value) is not int or not 0 < value < 253_402_300_800:
        raise Broken("timestamp")
    return value


def revenue(attributes: Any) -> dict[str, Any]:
    """Return the Stripe columns of a contact."""
    if attributes is not None and type(attributes) is not dict:
        raise Broken("custom_attributes")
    attributes = attributes or {}
    recurring, some = _recurring(attributes)
    paid, others = _paid(attributes)
    currencies = (some | others) - {None}
    currency = currencies.pop() if len(currencies) == 1 else None
    return recurring | paid | {"currency": currency} | _flat(attributes, currency)


def _recurring(attributes: dict[str, Any]) -> tuple[dict[str, Any], set[Any]]:
    items = _items(attributes, "Stripe Subscriptions", "stripe_subscriptions")
    if items is None:
        return {"mrr": None, "arr": None, "subscription_count": None}, set()
    active = [item for item in items if item.get("status") == "active"]
    monthly = [_monthly(item) for item in active]
    currencies = {currency for _, found in monthly for currency in found}
    if any(amount is None for amount, _ in monthly):
        return {"mrr": None, "arr": None, "subscription_count": len(active)}, currencies
    total = sum((sane(amount) for amount, _ in monthly if amount is not None), Fraction(0))
    if total < 0:
        raise Broken("mrr")
    sane(total * 12)
    return {"mrr": six(total), "arr": six(total * 12), "subscription_count": len(active)}, currencies


def _monthly(subscription: dict[str, Any]) -> tuple[Fraction | None, set[Any]]:
    """Return the monthly amount of a subscription (None if unknown) and its currencies."""
    listed = subscription.get("items") or {}
    if listed.get("has_more"):
        return None, {_price(subscription).get("currency")}
    lines = listed.get("data") or [subscription]
    worths = [_line(line) for line in lines]
    currencies = {_price(line).get("currency") for line in lines}
    return None if None in worths else sum((one for one in worths if one is not None), Fraction(0)), currencies


def _line(line: dict[str, Any]) -> Fraction | None:
    price = _price(line)
    if price.get("usage_type") == "metered":
        return Fraction(0)
    if price.get("amount") is None:
        return None
    minor, amount, count = (
        MINOR_UNITS.get(price.get("currency", ""), 100),
        number(price["amount"]),
        price.get("count", 1),
    )
    if price.get("interval") not in MONTHS or count < 1:
        raise Broken("price")
    quantity = Fraction(1) if line.get("quantity") is None else number(line["quantity"])
    if quantity < 0:
        raise Broken("quantity")
    if price.get("divide_by"):
        packages = quantity / price["divide_by"]
        quantity = Fraction(ceil(packages) if price["round"] == "up" else floor(packages))
    return amount / minor * quantity / (MONTHS[price["interval"]] * count)


# The paths of the price parts in the formats of `stripe`; names have a space for every separator.
_PLACES = {
    "amount": ("plan amount", "plan amount_decimal", "price unit_amount", "price unit_amount_decimal", "amount"),
    "interval": ("plan interval", "price recurring interval", "interval"),
    "count": ("plan interval_count", "price recurring interval_count", "interval_count"),
    "usage_type": ("plan usage_type", "price recurring usage_type", "usage_type"),
    "currency": ("plan currency", "price currency", "currency"),
    "divide_by": ("plan transform_usage divide_by", "price transform_quantity divide_by", "transform_usage divide_by"),
    "round": ("plan transform_usage round", "price transform_quantity round", "transform_usage round"),
}


def _price(line: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a line's price."""
    leaves = {_spaced(name): value for name, value in _leaves(line) if value is not None}
    places = {_spaced(place): part for part, places in _PLACES.items() for place in places}
    return {places[name]: value for name, value in reversed(leaves.items()) if name in places}


def _spaced(name: str) -> str:
    return name.replace("__", " ").replace(".", " ").replace("_", " ")


def _leaves(holder: dict[str, Any], way: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in holder.items():
        if isinstance(value, dict) and name != "items":
            yield from _leaves(value, f"{way}{name} ")
        else:
            yield way + name, value


def _paid(attributes: dict[str, Any]) -> tuple[dict[str, Any], set[Any]]:
    items = _items(attributes, "Stripe Payments", "stripe_payments")
    if items is None:
        return {"ltv": None}, set()
    succeeded = [item for item in items if item.get("status") == "succeeded"]
    currencies = {item.get("currency") for item in succeeded}
    known = [item for item in succeeded if item.get("amount") is not None]
    amounts = [sane(number(item["amount"]) / MINOR_UNITS.get(item.get("currency", ""), 100)) for item in known]
    if sum(amounts) < 0:
        raise Broken("ltv")
    return {"ltv": six(sum(amounts, Fraction(0))) if len(known) == len(succeeded) else None}, currencies


def _flat(attributes: dict[str, Any], currency: str | None) -> dict[str, Any]:
    price, charged = attributes.get("stripe_plan_price"), attributes.get("stripe_last_charge_amount")
    status, paid_at = attributes.get("stripe_subscription_status"), attributes.get("stripe_last_charge_at")
    if status is not None and status not in STATUSES:
        raise Broken("status")
    minor = MINOR_UNITS.get(currency or "", 100)
    return {
        "stripe_customer_id": attributes.get("stripe_id"),
        "plan_name": attributes.get("stripe_plan"),
        "plan_price": None if price is None else six(sane(number(price))),
        "subscription_status": status,
        "is_delinquent": _truth(attributes.get("stripe_delinquent")),
        "last_payment_amount": None if charged is None else six(sane(number(charged) / minor)),
        "last_payment_date": None if paid_at is None else moment(paid_at),
    }


def _truth(value: Any) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())


def _items(attributes: dict[str, Any], *names: str) -> list[dict[str, Any]] | None:
    """Return the items under the first name with data; references without a status are not data."""
    for name in names:
        items = _listed(attributes.get(name))
        if items is not None and (not items or any(item.get("status") for item in items)):
            return items
    return None


def _listed(value: Any) -> list[dict[str, Any]] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise Broken("list") from None
    if isinstance(value, dict):
        if value.get("has_more"):
            return None
        found = [value[key] for key in ("instances", "data", "items") if key in value]
        if not found:
            raise Broken("list")
        value = found[0]
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Broken("list")
    return [{**item, **(item.get("custom_attributes") or {})} for item in value]
