"""Generate the Stripe data of contacts: subscriptions, payments and flat attributes.

The first contacts have one case of the revenue rules each, later ones a random case. Amounts are in minor units, prices
in major units.
"""

from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Any

from intercom_sync.sandbox.builders import Json, payment, subscription
from intercom_sync.sandbox.stripe_objects import WRAPPINGS

DAY = 86_400
_PLANS = (("Starter", 2900), ("Team", 9900), ("Business", 29900), ("Enterprise", 149900))
# name of the case: interval, interval_count, maximum seats
_CYCLES: dict[str, tuple[str, int, int]] = {
    "monthly": ("month", 1, 1),
    "annual": ("year", 1, 1),
    "quarterly": ("month", 3, 1),
    "two years": ("year", 2, 1),
    "weekly": ("week", 1, 1),
    "daily": ("day", 1, 1),
    "seats": ("month", 1, 40),
    "annual seats": ("year", 1, 12),
}
_STATUSES = ("canceled", "trialing", "past_due", "paused", "unpaid", "incomplete", "incomplete_expired")
_SPECIAL = ("free", "empty", "absent arrays", "several", "no status", "refunded", "failed", "aliases", "no quantity")
_PRICINGS = ("package", "metered", "tiered", "references", "yen")
CASES = (*_CYCLES, *_STATUSES, *_SPECIAL, *_PRICINGS)
_WEIGHTS = tuple(accumulate({"free": 60, "monthly": 30, "annual": 12, "seats": 10}.get(case, 2) for case in CASES))


def stripe_data(rng: Random, at: int, now: int) -> Json:
    """Return the custom attributes of contact `at`, with the arrays in one of their known formats."""
    case = CASES[at] if at < len(CASES) else rng.choices(CASES, cum_weights=_WEIGHTS)[0]
    if case == "free":
        return {} if at % 2 else {"favourite_colour": "teal"}
    shape = list(WRAPPINGS)[at % len(WRAPPINGS)] if at % 3 == 0 else "list"
    subscriptions = _subscriptions(rng, case, at, now)
    payments = _payments(rng, case, at, now, subscriptions)
    found = _flat(case, at, subscriptions, payments)
    if case == "absent arrays":
        return found
    if case in _PRICINGS:
        shape, subscriptions = "list", [_with_unusual_price(case, each) for each in subscriptions]
    wrap: Callable[[list[Json], str], Any] = WRAPPINGS[shape]
    names = (
        ("stripe_subscriptions", "stripe_payments")
        if case == "aliases"
        else ("Stripe Subscriptions", "Stripe Payments")
    )
    found[names[0]] = wrap(subscriptions, "Stripe Subscription")
    found[names[1]] = wrap(payments, "Stripe Payment")
    return found


def _subscription(rng: Random, at: int, now: int, **fields: Any) -> Json:
    nickname, amount = rng.choice(_PLANS)
    start = now - rng.randrange(28 * DAY)
    return subscription(
        **{
            "id": f"sub_{at:07d}{rng.randrange(16**4):04x}",
            "amount": amount,
            "nickname": nickname,
            "current_period_start": start,
            "current_period_end": start + 30 * DAY,
            **fields,
        }
    )


def _subscriptions(rng: Random, case: str, at: int, now: int) -> list[Json]:
    if case == "empty":
        return []
    if case in _STATUSES:
        return [_subscription(rng, at, now, status=case)]
    if case == "several":
        cycles = ({"interval": "year"}, {"quantity": 7}, {"status": "canceled"})
        return [_subscription(rng, at, now, **fields) for fields in cycles]
    interval, count, seats = _CYCLES.get(case, ("month", 1, 1))
    found = _subscription(rng, at, now, interval=interval, quantity=rng.randint(min(2, seats), seats))
    if count > 1:
        found["plan"]["interval_count"] = count
    if case == "no quantity":
        del found["quantity"]
    if case == "yen":
        found["plan"].update(currency="jpy", amount=found["plan"]["amount"] // 100 * 150)
    return [found]


def _with_unusual_price(case: str, plain: Json) -> Json:
    """Return a subscription whose price is not a plain amount: per package, metered, tiered or missing."""
    plan: Json = plain["plan"]
    price = {
        "unit_amount": plan["amount"],
        "currency": plan["currency"],
        "recurring": {"interval": "month", "usage_type": "licensed"},
    }
    usage = {**price, "unit_amount": None, "recurring": {"interval": "month", "usage_type": "metered"}}
    lines = [{"price": price, "quantity": 1}, {"price": usage}]
    return {
        "package": {**plain, "quantity": 23, "plan": {**plan, "transform_usage": {"divide_by": 5, "round": "up"}}},
        "metered": {**plain, "plan": None, "items": {"object": "list", "data": lines, "has_more": False}},
        "tiered": {**plain, "plan": {**plan, "amount": None, "billing_scheme": "tiered", "tiers_mode": "volume"}},
        "references": {"id": "21", "external_id": plain["id"], "type": "Stripe Subscription"},
        "yen": plain,
    }[case]


def _payments(rng: Random, case: str, at: int, now: int, subscriptions: list[Json]) -> list[Json]:
    if case in ("empty", "trialing", "incomplete", "incomplete_expired"):
        return []
    first = subscriptions[0]
    amount = first["plan"]["amount"] * first.get("quantity", 1)
    last = now - rng.randrange(DAY, 28 * DAY)
    currency = first["plan"]["currency"]
    found = [
        payment(id=f"ch_{at:07d}{number:04d}", amount=amount, currency=currency, created=last - number * 30 * DAY)
        for number in range(rng.randint(1, 6))
    ]
    if case == "refunded":
        found[0].update(amount_refunded=amount, refunded=True)
    if case in ("failed", "past_due", "unpaid"):
        found[0]["status"] = "failed"
    if case == "several":
        found[-1].update(status="pending")
    return found


def _flat(case: str, at: int, subscriptions: list[Json], payments: list[Json]) -> Json:
    first = subscriptions[0] if subscriptions else None
    paid = next((each for each in payments if each["status"] == "succeeded"), None)
    is_delinquent = case in ("past_due", "unpaid", "failed")
    found: Json = {
        "stripe_id": f"cus_{at:08d}",
        "stripe_delinquent": (is_delinquent, is_delinquent, str(is_delinquent).lower(), int(is_delinquent))[at % 4],
        "stripe_last_charge_amount": paid["amount"] if paid else None,
        "stripe_last_charge_at": paid["created"] if paid else None,
    }
    if first:
        found["stripe_plan"] = first["plan"]["nickname"]
        found["stripe_plan_price"] = first["plan"]["amount"] / (1 if case == "yen" else 100)
        found["stripe_subscription_status"] = None if case == "no status" else first["status"]
    return found
