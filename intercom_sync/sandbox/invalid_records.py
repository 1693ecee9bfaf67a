"""Make records invalid, one function per rule of the sync that they break, as real workspaces have a few."""

from collections.abc import Callable

from intercom_sync.sandbox.builders import Json, payment, subscription

_MILLISECONDS = 1000


def _set_attributes(contact: Json, **attributes: object) -> None:
    contact["custom_attributes"] = {**contact["custom_attributes"], **attributes}


def _set_field(name: str, value: object) -> Callable[[Json], None]:
    def invalidate(record: Json) -> None:
        record[name] = value

    return invalidate


def _in_milliseconds(name: str) -> Callable[[Json], None]:
    def invalidate(record: Json) -> None:
        record[name] *= _MILLISECONDS

    return invalidate


def _as_text(name: str) -> Callable[[Json], None]:
    def invalidate(record: Json) -> None:
        record[name] = str(record[name])

    return invalidate


def _text_price(contact: Json) -> None:
    _set_attributes(contact, **{"Stripe Subscriptions": [subscription(id="sub_words", amount="a lot")]})


def _unknown_interval(contact: Json) -> None:
    _set_attributes(contact, **{"Stripe Subscriptions": [subscription(id="sub_fortnight", interval="fortnight")]})


def _negative_payment(contact: Json) -> None:
    _set_attributes(contact, **{"Stripe Payments": [payment(id="ch_back", amount=-5000)]})


def _text_amount(contact: Json) -> None:
    _set_attributes(contact, **{"Stripe Payments": [payment(id="ch_words", amount="a lot")]})


CONTACTS: tuple[Callable[[Json], None], ...] = (
    _set_field("email", "not an address"),
    _set_field("email", "two@signs@example.com"),
    _in_milliseconds("updated_at"),
    _as_text("created_at"),
    _set_field("last_seen_at", True),
    lambda contact: _set_attributes(contact, stripe_subscription_status="dormant"),
    _text_price,
    _unknown_interval,
    _negative_payment,
    _text_amount,
    _set_field("location", "somewhere in Ireland"),
    _set_field("custom_attributes", ["not", "an", "object"]),
)
CONVERSATIONS: tuple[Callable[[Json], None], ...] = (
    _in_milliseconds("created_at"),
    _as_text("updated_at"),
    _set_field("contacts", "nobody"),
    _set_field("source", ["not", "an", "object"]),
)
