"""A stored record: its serialized JSON, and the times that searches filter and sort by.

A record may be invalid on purpose (wrong types, no id, not an object). It is stored unchanged: an invalid time becomes
`UNUSABLE`, and every search returns the record, so that clients receive it.
"""

import json
from dataclasses import dataclass
from typing import Any

import orjson

NULL = -1  # sorts before every time and is in no range
UNUSABLE = 0  # an invalid time, which is in every range
_YEAR_10000 = 253_402_300_800  # a larger number is not in UNIX seconds (usually milliseconds)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record in storage.

    Attributes:
        name: `contact` or `conversation`.
        columns: dotted paths of the indexed times, which searches use most.
        nullable: the columns that may be null in a valid record.
    """

    name: str
    columns: tuple[str, ...]
    nullable: frozenset[str]


CONTACT = Kind("contact", ("created_at", "updated_at", "last_seen_at"), frozenset({"last_seen_at"}))
_LAST_REPLY = "statistics.last_contact_reply_at"
CONVERSATION = Kind("conversation", ("created_at", "updated_at", _LAST_REPLY), frozenset({_LAST_REPLY}))


@dataclass(frozen=True, slots=True)
class Record:
    """A stored record: `body` is its JSON in lists, `parts` the JSON of its parts, `times` its indexed columns."""

    body: bytes
    parts: bytes | None
    times: tuple[int, ...]

    def whole(self) -> bytes:
        """Return the JSON including the parts."""
        return self.body if self.parts is None else self.body[:-1] + b',"conversation_parts":' + self.parts + b"}"


def dump(value: object) -> bytes:
    """Serialize any value to JSON, including lone surrogates and huge numbers, which orjson rejects."""
    try:
        # Copy the bytes: orjson's own bytes keep their buffer, which was measured at four times the memory.
        return bytes(memoryview(orjson.dumps(value)))
    except TypeError:
        return json.dumps(value).encode()


def load(body: bytes) -> Any:
    """Parse JSON that `dump` wrote."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def usable_time(value: object, *, nullable: bool) -> int:
    """Return a time in UNIX seconds, `NULL` for an allowed null, or `UNUSABLE` for an invalid time."""
    if value is None and nullable:
        return NULL
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _YEAR_10000:
        return value
    return UNUSABLE


def _column(value: dict[str, Any], path: str, nullable: bool) -> int:
    first, _, rest = path.partition(".")
    inner = value.get(first)
    if not rest:
        return usable_time(inner, nullable=nullable)
    return usable_time(inner.get(rest) if isinstance(inner, dict) else None, nullable=nullable)


def record(kind: Kind, value: Any) -> Record:
    """Return the stored form of a record."""
    if not isinstance(value, dict):
        return Record(dump(value), None, (UNUSABLE,) * len(kind.columns))
    times = tuple(_column(value, path, path in kind.nullable) for path in kind.columns)
    if kind is CONVERSATION and len(value) > 1 and "conversation_parts" in value:
        listed = {name: inner for name, inner in value.items() if name != "conversation_parts"}
        return Record(dump(listed), dump(value["conversation_parts"]), times)
    return Record(dump(value), None, times)
