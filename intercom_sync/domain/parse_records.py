"""Sort the records of some pages into the usable and the refused, keeping the newest version of each.

The rules that make a record unusable stand in `contacts` and `conversations`; what becomes of both piles in the
warehouse. One bad record never takes a good one with it.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson

from intercom_sync.domain.contacts import clean_record, record_id, record_updated_at
from intercom_sync.domain.parsing import InvalidRecordError


class Versioned(Protocol):
    """What a usable record has: an id and a version."""

    @property
    def id(self) -> str:
        """Intercom's id."""
        ...

    @property
    def updated_at(self) -> int:
        """The version, UNIX seconds."""
        ...


RecordT = TypeVar("RecordT", bound=Versioned)


@dataclass(frozen=True)
class RejectedRecord:
    """A record that cannot be used.

    Attributes:
        id: Intercom's id, or a digest of the record where it has none.
        updated_at: its version in UNIX seconds, where that can be read.
        rejection: the first rule that it breaks.
        payload: the record as JSON text; null where it cannot be written as JSON.
    """

    id: str
    updated_at: int | None
    error: InvalidRecordError
    payload: str

    def value(self) -> str:
        """Return the offending value as JSON text."""
        try:
            return _json(self.error.value)
        except ValueError:
            return "null"


@dataclass(frozen=True)
class ParsedBatch(Generic[RecordT]):
    """What some pages held: usable records with their JSON, by id, and the refused ones, by id."""

    valid: dict[str, tuple[RecordT, str]]
    rejected: dict[str, RejectedRecord]
    ids: list[str]


def load_payload(payload: str) -> Any:
    """Return the record of a stored payload; numbers too large for any parser but Python's are kept in some."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return json.loads(payload)


def parse_records(records: Iterable[Any], read: Callable[[Any], RecordT]) -> ParsedBatch[RecordT]:
    """Read each record; of several versions the newest stays, and of equal ones the last that came.

    A refused version stays beside an older usable one, which remains in play; a usable one as new as the refused one
    takes its place.
    """
    usable: dict[str, tuple[RecordT, str]] = {}
    refused: dict[str, RejectedRecord] = {}
    ids: list[str] = []
    for raw in records:
        try:
            record, payload = _payload(raw)
            made = read(record)
        except InvalidRecordError as rejection:
            bad = _refused(raw, rejection)
            ids.append(bad.id)
            if _is_news(bad.updated_at, usable.get(bad.id), refused.get(bad.id)):
                refused[bad.id] = bad
            continue
        ids.append(made.id)
        if made.id not in usable or usable[made.id][0].updated_at <= made.updated_at:
            usable[made.id] = (made, payload)
            if made.id in refused and (refused[made.id].updated_at or 0) <= made.updated_at:
                del refused[made.id]
    return ParsedBatch(usable, refused, ids)


def _is_news(version: int | None, usable: tuple[Versioned, str] | None, refused: RejectedRecord | None) -> bool:
    if version is None:
        return True
    newest = max(usable[0].updated_at if usable else 0, (refused.updated_at or 0) if refused else 0)
    return version >= newest


def _refused(raw: Any, rejection: InvalidRecordError) -> RejectedRecord:
    try:
        record = clean_record(raw)
        payload = _json(record)
    except (ValueError, RecursionError):
        record, payload = None, "null"
    digest = hashlib.sha256(payload.encode()).hexdigest()[:16]
    return RejectedRecord(record_id(record) or f"sha256:{digest}", record_updated_at(record), rejection, payload)


def _payload(raw: Any) -> tuple[Any, str]:
    """Return the record and its JSON text, both without what Postgres cannot hold."""
    try:
        payload = orjson.dumps(raw)
    except TypeError:
        payload = b"\\u0000"  # lone surrogates or large numbers: take the careful way
    if b"\\u0000" not in payload:
        return raw, payload.decode()
    try:
        record = clean_record(raw)
        return record, _json(record)
    except (ValueError, RecursionError):
        raise InvalidRecordError("record of the wrong shape", "record") from None


def _json(value: Any) -> str:
    """Return JSON text that Postgres takes.

    Raises:
        ValueError: when the value has no JSON form (NaN, lone surrogates).
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, allow_nan=False)
