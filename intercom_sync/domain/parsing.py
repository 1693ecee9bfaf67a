"""Parse single fields of Intercom's records: texts, ids, timestamps; and the error of an invalid record."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RejectionReason(StrEnum):
    """The rule that a record breaks, as `rejected_records` and logs show it."""

    RECORD_SHAPE = "record of the wrong shape"
    NO_ID = "record without a usable id"
    EMAIL = "email is not a valid address"
    TIMESTAMP = "timestamp is not a positive integer"
    TEXT_SHAPE = "text of the wrong shape"
    LOCATION_SHAPE = "location of the wrong shape"
    CONTACTS_SHAPE = "contacts of the wrong shape"
    PARTS_SHAPE = "parts of the wrong shape"
    ATTRIBUTES_SHAPE = "custom_attributes of the wrong shape"
    LIST_SHAPE = "list of the wrong shape"
    AMOUNT_NOT_A_NUMBER = "amount is not a number"
    AMOUNT_TOO_LARGE = "amount is too large"
    NO_PRICE = "active subscription without a usable price"
    NEGATIVE_MRR = "MRR is below 0"
    NEGATIVE_LTV = "LTV is below 0"
    SUBSCRIPTION_STATUS = "subscription status is not an allowed one"


@dataclass
class InvalidRecordError(Exception):
    """Report the first rule that a record breaks, as stored in `rejected_records`.

    Attributes:
        reason: the rule, a sentence without personal data, fit for logs; only the reason of a database encoding is not
            in `RejectionReason`, because it names the encoding.
        field: path of the field in the record, e.g. "custom_attributes.stripe_subscription_status".
        value: the invalid value, for the table only.
    """

    reason: RejectionReason | str
    field: str
    value: Any = None

    def __str__(self) -> str:
        """Return reason and field, without the value, which may be personal data."""
        return f"{self.reason} ({self.field})"


LAST_TIMESTAMP = 253_402_300_799  # the last second of the year 9999; larger values are milliseconds
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INTEGERS = range(-(2**63), 2**64)  # the integers that every JSON parser reads; Python refuses to print far larger ones

_MAX_ID_CHARACTERS = 500  # longer ids do not fit an index


def clean_text(value: str) -> str:
    """Remove NUL and lone surrogates, which UTF-8 or PostgreSQL cannot store."""
    if value.isascii() and "\x00" not in value:
        return value
    return _UNSTORABLE.sub("", value)


def clean_record(record: Any) -> Any:
    """Return a copy of a JSON value with `clean_text` applied to every text and key.

    Iterative, so that deeply nested JSON cannot exceed the recursion limit.
    """
    holder = [record]
    pending: list[Any] = [holder]
    while pending:
        container = pending.pop()
        for key, value in list(container.items() if type(container) is dict else enumerate(container)):
            if type(value) is str:
                container[key] = clean_text(value)
            elif type(value) is dict:
                container[key] = {clean_text(k) if type(k) is str else k: v for k, v in value.items()}
                pending.append(container[key])
            elif type(value) is list:
                container[key] = value.copy()
                pending.append(container[key])
    return holder[0]


def record_id(record: object) -> str | None:
    """Return a record's id: a text that is not blank, or an integer as text; None when it has no valid one."""
    return usable_id(record.get("id")) if type(record) is dict else None


def usable_id(value: object) -> str | None:
    """Return the id as text, or None when it is blank, too long or too large, or neither text nor integer."""
    if type(value) is str:
        text = clean_text(value)
        return text if text and not text.isspace() and len(text) <= _MAX_ID_CHARACTERS else None
    return str(value) if type(value) is int and value in _INTEGERS else None


def record_updated_at(record: object) -> int | None:
    """Return a record's version in UNIX seconds, or None when it has no valid one."""
    return usable_timestamp(record.get("updated_at")) if type(record) is dict else None


def usable_timestamp(value: object) -> int | None:
    """Return the UNIX seconds, or None unless the value is a positive integer up to the year 9999."""
    return value if type(value) is int and 0 < value <= LAST_TIMESTAMP else None


def parse_timestamp(value: object, field: str) -> int:
    """Return the UNIX seconds of a required timestamp (R6.2).

    Raises:
        InvalidRecordError: for anything but a positive integer; booleans, floats, texts and milliseconds are invalid.
    """
    if type(value) is int and 0 < value <= LAST_TIMESTAMP:
        return value
    raise InvalidRecordError(RejectionReason.TIMESTAMP, field, value)


def parse_optional_timestamp(value: object, field: str) -> int | None:
    """Return the UNIX seconds, or None for null.

    Raises:
        InvalidRecordError: as `parse_timestamp`.
    """
    return None if value is None else parse_timestamp(value, field)


def parse_text(value: object, field: str) -> str | None:
    """Return a text as spelled, cleaned; a number as text; None for null and blank.

    Raises:
        InvalidRecordError: for booleans, lists and objects.
    """
    if value is None:
        return None
    if type(value) is str:
        text = value if value.isprintable() else clean_text(value)  # NUL and surrogates are not printable
        return text if text and not text.isspace() else None
    if type(value) is float and value.is_integer():
        value = int(value)
    if (type(value) is int and value in _INTEGERS) or (type(value) is float and abs(value) < float("inf")):
        return str(value)
    raise InvalidRecordError(RejectionReason.TEXT_SHAPE, field, value)
