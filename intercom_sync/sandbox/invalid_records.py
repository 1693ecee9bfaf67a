"""Records that break a rule of the sync, one of each kind, as real workspaces have a few.

Each function spoils a sound record; what the sync makes of them is none of its business.
"""

from collections.abc import Callable

from intercom_sync.sandbox.builders import Json, payment, subscription

_MILLISECONDS = 1000


def _attributes(contact: Json, **attributes: object) -> None:
    contact["custom_attributes"] = {**contact["custom_attributes"], **attributes}


def _set(name: str, value: object) -> Callable[[Json], None]:
    def spoil(record: Json) -> None:
        record[name] = value

    return spoil


def _in_milliseconds(name: str) -> Callable[[Json], None]:
    def spoil(record: Json) -> None:
        record[name] *= _MILLISECONDS

    return spoil


def _as_text(name: str) -> Callable[[Json], None]:
    def spoil(record: Json) -> None:
        record[name] = str(record[name])

    return spoil


def _wordy_price(contact: Json) -> None:
    _attributes(contact, **{"Stripe Subscriptions": [subscription(id="sub_words", amount="a lot")]})


def _unknown_interval(contact: Json) -> None:
    _attributes(contact, **{"Stripe Subscriptions": [subscription(id="sub_fortnight", interval="fortnight")]})


def _paid_back(contact: Json) -> None:
    _attributes(contact, **{"Stripe Payments": [payment(id="ch_back", amount=-5000)]})


def _wordy_amount(contact: Json) -> None:
    _attributes(contact, **{"Stripe Payments": [payment(id="ch_words", amount="a lot")]})


CONTACTS: tuple[Callable[[Json], None], ...] = (
    _set("email", "not an address"),
    _set("email", "two@signs@example.com"),
    _in_milliseconds("updated_at"),
    _as_text("created_at"),
    _set("last_seen_at", True),
    lambda contact: _attributes(contact, stripe_subscription_status="dormant"),
    _wordy_price,
    _unknown_interval,
    _paid_back,
    _wordy_amount,
    _set("location", "somewhere in Ireland"),
    _set("custom_attributes", ["not", "an", "object"]),
)
CONVERSATIONS: tuple[Callable[[Json], None], ...] = (
    _in_milliseconds("created_at"),
    _as_text("updated_at"),
    _set("contacts", "nobody"),
    _set("source", ["not", "an", "object"]),
)
