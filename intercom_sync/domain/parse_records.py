"""Parse pages of records into valid and rejected ones, deduplicated by id to the newest version (R6.5)."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import orjson

from intercom_sync.domain.contacts import clean_record, record_id, record_updated_at
from intercom_sync.domain.parsing import InvalidRecordError, RejectionReason


class Versioned(Protocol):
    """Require an id and a version of a parsed record."""

    @property
    def id(self) -> str:
        """Return Intercom's id."""
        ...

    @property
    def updated_at(self) -> int:
        """Return the version, UNIX seconds."""
        ...


RecordT = TypeVar("RecordT", bound=Versioned)


@dataclass(frozen=True)
class RejectedRecord:
    """Represent a record that breaks a rule.

    Attributes:
        id: Intercom's id, or a digest of the record when it has none.
        updated_at: its version in UNIX seconds, when readable.
        error: the first rule that it breaks.
        payload: the record as JSON text; null when it cannot be written as JSON.
    """

    id: str
    updated_at: int | None
    error: InvalidRecordError
    payload: str

    def value(self) -> str:
        """Return the invalid value as JSON text."""
        try:
            return _json(self.error.value)
        except ValueError:
            return "null"


@dataclass(frozen=True)
class ParsedBatch(Generic[RecordT]):
    """Hold the valid records with their JSON and the rejected ones, both by id, and the ids of all records read."""

    valid: dict[str, tuple[RecordT, str]]
    rejected: dict[str, RejectedRecord]
    ids: list[str]


def load_payload(payload: str) -> Any:
    """Parse a stored payload; the fallback reads numbers that are too large for orjson."""
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError:
        return json.loads(payload)


def parse_records(records: Iterable[Any], parse: Callable[[Any], RecordT]) -> ParsedBatch[RecordT]:
    """Parse each record and keep its newest version; of equal versions the last one read.

    A rejected version is kept together with an older valid one, which still counts. A valid version that is at least
    as new as the rejected one replaces it.

    Args:
        records: JSON values of any shape.
        parse: returns the parsed record or raises `InvalidRecordError`.
    """
    valid: dict[str, tuple[RecordT, str]] = {}
    rejected: dict[str, RejectedRecord] = {}
    ids: list[str] = []
    for raw in records:
        try:
            record, payload = _payload(raw)
            parsed = parse(record)
        except InvalidRecordError as error:
            bad_record = _rejected_record(raw, error)
            ids.append(bad_record.id)
            if _is_newest(bad_record.updated_at, valid.get(bad_record.id), rejected.get(bad_record.id)):
                rejected[bad_record.id] = bad_record
            continue
        ids.append(parsed.id)
        if parsed.id not in valid or valid[parsed.id][0].updated_at <= parsed.updated_at:
            valid[parsed.id] = (parsed, payload)
            if parsed.id in rejected and (rejected[parsed.id].updated_at or 0) <= parsed.updated_at:
                del rejected[parsed.id]
    return ParsedBatch(valid, rejected, ids)


def keep_records(
    batch: ParsedBatch[RecordT], records: Sequence[Any], kept: Sequence[Any], parse: Callable[[Any], RecordT]
) -> ParsedBatch[RecordT]:
    """Return a batch without the records that are not kept, as if only the kept ones had been parsed.

    Only what takes the place of a dropped record is parsed: its changed form, or another version of it.

    Args:
        batch: of all records.
        records: as they were parsed.
        kept: those to be kept, the same objects, or changed copies of them.
        parse: parses one record.
    """
    keys = {id(record): key for record, key in zip(records, batch.ids, strict=True)}
    same = {id(record) for record in kept}
    affected = {key for record, key in zip(records, batch.ids, strict=True) if id(record) not in same}
    again = parse_records((one for one in kept if id(one) not in keys or keys[id(one)] in affected), parse)
    valid = {id: record for id, record in batch.valid.items() if id not in affected}
    rejected = {id: record for id, record in batch.rejected.items() if id not in affected}
    return ParsedBatch(valid | again.valid, rejected | again.rejected, batch.ids)


def _is_newest(version: int | None, valid: tuple[Versioned, str] | None, rejected: RejectedRecord | None) -> bool:
    if version is None:
        return True
    newest = max(valid[0].updated_at if valid else 0, (rejected.updated_at or 0) if rejected else 0)
    return version >= newest


def _rejected_record(raw: Any, error: InvalidRecordError) -> RejectedRecord:
    try:
        record = clean_record(raw)
        payload = _json(record)
    except (ValueError, RecursionError):
        record, payload = None, "null"
    digest = hashlib.sha256(payload.encode()).hexdigest()[:16]
    return RejectedRecord(record_id(record) or f"sha256:{digest}", record_updated_at(record), error, payload)


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
        raise InvalidRecordError(RejectionReason.RECORD_SHAPE, "record") from None


def _json(value: Any) -> str:
    """Return JSON text that Postgres takes.

    Raises:
        ValueError: when the value has no JSON form (NaN, lone surrogates).
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, allow_nan=False)
