"""Build Stripe objects in the `custom_attributes` of contacts: subscriptions, payments and their list formats.

Amounts are in cents, as in Stripe. Intercom documents neither array, so there is a builder for every format seen in
practice.
"""

import json
from collections.abc import Callable
from itertools import count
from typing import Any

Json = dict[str, Any]

_numbers = count(1)


def subscription(**fields: Any) -> Json:
    """Build a subscription; `amount`, `interval`, `interval_count` and `nickname` are set in its `plan`."""
    plan = {"amount": 2900, "interval": "month", "nickname": "Starter", "currency": "usd"}
    plan |= {name: fields.pop(name) for name in (*plan, "interval_count") if name in fields}
    return {
        "id": f"sub_{next(_numbers):08d}",
        "status": "active",
        "plan": plan,
        "quantity": 1,
        "current_period_start": 1_700_000_000,
        "current_period_end": 1_702_592_000,
        **fields,
    }


def payment(**fields: Any) -> Json:
    """Build a payment of `amount` cents at `created` (UNIX seconds); refunded payments also have status `succeeded`."""
    return {
        "id": f"ch_{next(_numbers):08d}",
        "amount": 2900,
        "currency": "usd",
        "created": 1_700_000_000,
        "status": "succeeded",
        **fields,
    }


def flat(item: Json) -> Json:
    """Return the subscription with its price fields at the top level instead of in `plan`."""
    plan: Json = item.get("plan", {})
    return {name: value for name, value in item.items() if name != "plan"} | plan


def instances(items: list[Json], kind: str) -> Json:
    """Return the list as custom objects, Intercom's only documented format for lists of objects (scalars only)."""
    wrapped = [
        {"id": str(at), "external_id": item.get("id"), "type": kind, "custom_attributes": flat(item)}
        for at, item in enumerate(items, 1)
    ]
    return {"type": f"{kind}.list", "instances": wrapped}


WRAPPINGS: dict[str, Callable[[list[Json], str], object]] = {
    "list": lambda items, kind: items,
    "flat": lambda items, kind: [flat(item) for item in items],
    "instances": instances,
    "data": lambda items, kind: {"object": "list", "data": items},
    "items": lambda items, kind: {"items": items},
    "text": lambda items, kind: json.dumps(items),
    "instances as text": lambda items, kind: json.dumps(instances(items, kind)),
}
