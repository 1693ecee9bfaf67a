"""Corruptions of valid records, one rule each, and values that are not records."""

from collections.abc import Callable
from typing import Any

from intercom_sync_tests.model.words import BAD_EMAILS, BAD_TIMES

Spoil = Callable[[dict[str, Any]], None]


def _set(name: str, value: Any) -> Spoil:
    return lambda record: record.__setitem__(name, value)


def _attribute(name: str, value: Any) -> Spoil:
    def corrupt(record: dict[str, Any]) -> None:
        record["custom_attributes"] = {**(record["custom_attributes"] or {}), name: value}

    return corrupt


def _subscription(**fields: Any) -> Spoil:
    plan = {"amount": 9900, "interval": "month"} | fields
    return _attribute("Stripe Subscriptions", [{"status": "active", "plan": plan}])


CONTACT_CORRUPTIONS: tuple[Spoil, ...] = (
    *(_set("email", bad) for bad in BAD_EMAILS),
    *(_set(name, bad) for name in ("created_at", "updated_at") for bad in (*BAD_TIMES, None)),
    *(_set("last_seen_at", bad) for bad in BAD_TIMES),
    *(_set("location", bad) for bad in ("Ireland", ["Ireland"], 7)),
    *(_set("custom_attributes", bad) for bad in (["not", "an", "object"], "text", 5)),
    *(_attribute("stripe_last_charge_at", bad) for bad in BAD_TIMES),
    *(_attribute("stripe_subscription_status", bad) for bad in ("dormant", 7, True)),
    *(_attribute("stripe_plan_price", bad) for bad in ("cheap", True, [1])),
    *(_attribute("stripe_last_charge_amount", bad) for bad in ("a lot", {}, False)),
    *(_attribute("Stripe Subscriptions", bad) for bad in ("nonsense", 5, [1, 2], {"x": 1}, [None])),
    *(_attribute("Stripe Payments", bad) for bad in ("[1,", True, ["paid"], {"list": []})),
    _attribute("Stripe Payments", [{"amount": "a lot", "status": "succeeded"}]),
    _attribute("Stripe Payments", [{"amount": -5000, "status": "succeeded"}]),
    _subscription(amount="free"),
    _subscription(amount="29,900"),
    _subscription(amount=8 * 10**32),
    _attribute(
        "Stripe Subscriptions", [{"status": "active", "quantity": 10**330, "plan_amount": -1, "interval": "day"}]
    ),
    _attribute("Stripe Payments", [{"amount": 10**33, "status": "succeeded"}]),
    _attribute("stripe_plan_price", "1e30"),
    _subscription(amount=-100),
    _subscription(interval="fortnight"),
    _subscription(interval=None),
    _subscription(interval_count=0),
)
CONVERSATION_CORRUPTIONS: tuple[Spoil, ...] = (
    *(_set(name, bad) for name in ("created_at", "updated_at") for bad in (*BAD_TIMES, None)),
    *(_set("contacts", bad) for bad in ("nobody", 5, [[]])),
)
JUNK: tuple[Any, ...] = (
    {}, None, 5, "contact", [1, 2], {"id": None}, {"id": ""}, {"id": {}, "email": "ada@example.com"},
    {"email": "bob@example.com", "created_at": 1_770_000_000, "updated_at": 1_770_000_000},
)  # fmt: skip
