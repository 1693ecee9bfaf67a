"""One stored record: its JSON, written once, and the few times that searches order and cut by.

A record may be broken on purpose (wrong types, no id, not even an object). Nothing here judges it: an unusable time
becomes `UNUSABLE`, and a wild record is found by every search, so that clients meet it.
"""

import json
from dataclasses import dataclass
from typing import Any

import orjson

NULL = -1  # sorts before every time and lies in no range
UNUSABLE = 0  # no usable time: lies in every range
_YEAR_10000 = 253_402_300_800  # beyond it a number is not UNIX seconds (milliseconds, usually)


@dataclass(frozen=True, slots=True)
class Kind:
    """What sets contacts and conversations apart in storage.

    Attributes:
        name: `contact` or `conversation`.
        columns: dotted paths of the times kept beside each record's JSON, the ones searches use most.
        nullable: those of them that may be null in a sound record.
    """

    name: str
    columns: tuple[str, ...]
    nullable: frozenset[str]


CONTACT = Kind("contact", ("created_at", "updated_at", "last_seen_at"), frozenset({"last_seen_at"}))
_LAST_REPLY = "statistics.last_contact_reply_at"
CONVERSATION = Kind("conversation", ("created_at", "updated_at", _LAST_REPLY), frozenset({_LAST_REPLY}))


@dataclass(frozen=True, slots=True)
class Record:
    """A record as stored: `body` is its JSON in lists, `parts` that of a conversation's parts, `times` its columns."""

    body: bytes
    parts: bytes | None
    times: tuple[int, ...]

    def whole(self) -> bytes:
        """The JSON with the parts in it."""
        return self.body if self.parts is None else self.body[:-1] + b',"conversation_parts":' + self.parts + b"}"


def dump(value: object) -> bytes:
    """JSON of anything a broken record may hold, also lone surrogates and huge numbers, which orjson refuses."""
    try:
        # Copied, as orjson's own bytes keep the buffer they grew in: measured, four times the memory.
        return bytes(memoryview(orjson.dumps(value)))
    except TypeError:
        return json.dumps(value).encode()


def load(body: bytes) -> Any:
    """The value of a JSON text written by `dump`."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)


def usable_time(value: object, *, nullable: bool) -> int:
    """A time in UNIX seconds as it stands, `NULL` where null is fine, `UNUSABLE` for all that is no time in seconds."""
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
    """The stored form of a value."""
    if not isinstance(value, dict):
        return Record(dump(value), None, (UNUSABLE,) * len(kind.columns))
    times = tuple(_column(value, path, path in kind.nullable) for path in kind.columns)
    if kind is CONVERSATION and len(value) > 1 and "conversation_parts" in value:
        listed = {name: inner for name, inner in value.items() if name != "conversation_parts"}
        return Record(dump(listed), dump(value["conversation_parts"]), times)
    return Record(dump(value), None, times)
