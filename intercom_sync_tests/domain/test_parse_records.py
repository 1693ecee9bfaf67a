"""Parsed batches: dropping records of a batch gives what parsing the others would have given, without parsing them."""

from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from intercom_sync.domain.contacts import Contact, parse_contact
from intercom_sync.domain.parse_records import ParsedBatch, keep_records, parse_records
from intercom_sync.domain.rules import Rules
from intercom_sync.sandbox.builders import contact

_RULES = Rules()
_parse = partial(parse_contact, rules=_RULES)
_KEEP, _DROP, _CHANGE = "keep", "drop", "change"


def _record(id: int, version: int, form: str) -> Any:
    """A version of a contact; a broken one, or one without an id, where the form says so."""
    made = contact(id=f"c{id}", name=f"{id} {version}", updated_at=1_780_000_000 + version, created_at=1_770_000_000)
    return made | {"valid": {}, "broken": {"last_seen_at": "never"}, "no id": {"id": " "}}[form]


def _rejected(batch: ParsedBatch[Contact]) -> dict[str, tuple[int | None, str, str]]:
    return {id: (bad.updated_at, bad.error.reason, bad.payload) for id, bad in batch.rejected.items()}


_records = st.lists(
    st.tuples(
        st.builds(
            _record, st.integers(0, 2), st.integers(0, 3), st.sampled_from(["valid", "valid", "broken", "no id"])
        ),
        st.sampled_from([_KEEP, _KEEP, _DROP, _CHANGE]),
    ),
    max_size=8,
)


@given(_records)
def test_a_batch_without_some_records_is_what_the_others_are_parsed_to(chosen: list[tuple[Any, str]]) -> None:
    records = [record for record, _ in chosen]
    kept = [record if what == _KEEP else record | {"name": "redacted"} for record, what in chosen if what != _DROP]
    batch = parse_records(records, _parse)
    found, wanted = keep_records(batch, records, kept, _parse), parse_records(kept, _parse)
    assert (found.valid, found.ids) == (wanted.valid, batch.ids)
    assert _rejected(found) == _rejected(wanted)


def test_records_that_stay_are_not_parsed_again() -> None:
    records = [_record(0, 1, "valid"), _record(1, 1, "valid"), _record(2, 1, "broken")]
    parsed: list[Any] = []

    def parse(record: Any) -> Contact:
        parsed.append(record)
        return _parse(record)

    batch = keep_records(parse_records(records, _parse), records, records[1:], parse)
    assert (list(batch.valid), list(batch.rejected), parsed) == (["c1"], ["c2"], [])
