"""Why a record cannot be used: one reason, the field, and its value.

Raised while a record is read and kept in `rejected_records` for a person to mend; see `contacts` and `conversations`
for the rules themselves.
"""

import re
from dataclasses import dataclass
from typing import Any


@dataclass
class InvalidRecordError(Exception):
    """The first rule that a record breaks.

    Attributes:
        reason: a sentence without personal data, as shown in logs, e.g. "email is not a valid address".
        field: path of the field in the record, e.g. "custom_attributes.stripe_subscription_status".
        value: what stood there, for the table only.
    """

    reason: str
    field: str
    value: Any = None

    def __str__(self) -> str:
        """Return reason and field; never the value, which may be personal."""
        return f"{self.reason} ({self.field})"


LAST_TIMESTAMP = 253_402_300_799  # the last second of the year 9999; beyond it, milliseconds were meant
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_INTEGERS = range(-(2**63), 2**64)  # what JSON numbers of any parser are; larger ones could not even be printed

_LONGEST_ID = 500  # characters; what is longer fits no index


def clean_text(value: str) -> str:
    """Return the text without NUL and lone surrogates, which neither UTF-8 nor PostgreSQL can hold."""
    if value.isascii() and "\x00" not in value:
        return value
    return _UNSTORABLE.sub("", value)


def clean_record(record: Any) -> Any:
    """Return the JSON value with every text and key in it cleaned as by `clean_text`; the given value is not changed.

    Works without recursion, so JSON of any depth is fine.
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
    """Return a record's usable id: a text that is not blank, or an integer as text; None where it has none."""
    return usable_id(record.get("id")) if type(record) is dict else None


def usable_id(value: object) -> str | None:
    """Return the id as text, or None where it is blank, beyond every bound, or neither text nor integer."""
    if type(value) is str:
        text = clean_text(value)
        return text if text and not text.isspace() and len(text) <= _LONGEST_ID else None
    return str(value) if type(value) is int and value in _INTEGERS else None


def record_updated_at(record: object) -> int | None:
    """Return a record's version, UNIX seconds, or None where no usable one stands there."""
    return usable_timestamp(record.get("updated_at")) if type(record) is dict else None


def usable_timestamp(value: object) -> int | None:
    """Return the UNIX seconds, or None unless the value is a positive integer up to the year 9999."""
    return value if type(value) is int and 0 < value <= LAST_TIMESTAMP else None


def parse_timestamp(value: object, field: str) -> int:
    """Return the UNIX seconds of a required timestamp (directive, date validation: positive integers).

    Raises:
        RejectionError: for anything but a positive integer; booleans, floats, texts and milliseconds are none.
    """
    if type(value) is int and 0 < value <= LAST_TIMESTAMP:
        return value
    raise InvalidRecordError("timestamp is not a positive integer", field, value)


def parse_optional_timestamp(value: object, field: str) -> int | None:
    """Return the UNIX seconds, or None for null.

    Raises:
        RejectionError: as `parse_timestamp`.
    """
    return None if value is None else parse_timestamp(value, field)


def parse_text(value: object, field: str) -> str | None:
    """Return a text as spelled, cleaned; a number as text; None for null and blank.

    Raises:
        RejectionError: for booleans, lists and objects, which say that the field is not what its name promises.
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
    raise InvalidRecordError("text of the wrong shape", field, value)
