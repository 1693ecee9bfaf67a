"""A record whose time is no time must not make a read end early: milliseconds sort past everything else."""

import pytest

from intercom_sync.intercom.streams import CONVERSATIONS
from intercom_sync.sandbox.builders import conversation
from intercom_sync_tests.intercom.scenario import NOW, ids, reading, talks_of


@pytest.mark.parametrize(
    "broken", [NOW * 1000, "1770000000", None, -5], ids=["milliseconds", "text", "null", "negative"]
)
def test_a_record_with_an_unusable_time_takes_no_other_record_with_it(broken: object) -> None:
    company = talks_of(NOW - 1000 + at for at in range(900))
    company.put_conversation(conversation(id="7") | {"created_at": broken})
    with reading(company) as (_, reader):
        found = ids(reader.full_scan(CONVERSATIONS))
        assert set(found) == {str(1000 + at) for at in range(900)} | {"7"}
        assert len(found) == 901


def test_every_record_without_an_id_is_delivered_so_that_a_full_read_is_known_to_be_complete() -> None:
    company = talks_of([NOW - 1000])
    for nameless in ({"id": ""}, {"id": ""}, {"id": " "}, {}, {}):
        company.put_conversation(nameless)
    with reading(company) as (_, reader):
        assert len([record for page in reader.full_scan(CONVERSATIONS) for record in page.records]) == 6
        found = reader.scan_counts(CONVERSATIONS)
        assert (found.seen, found.total_at_end) == (6, 6)


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
@pytest.mark.parametrize("wrong", [4_000_000_000, 253_402_300_799, 200_000])
def test_a_plausible_but_wrong_time_neither_ends_nor_narrows_a_read(field: str, wrong: int) -> None:
    company = talks_of(NOW - 1000 + at for at in range(900))
    company.put_conversation(conversation(id="7", created_at=NOW - 5, updated_at=NOW - 5) | {field: wrong})
    with reading(company) as (_, reader):
        good = {str(1000 + at) for at in range(900)}
        assert set(ids(reader.full_scan(CONVERSATIONS))) == good | {"7"}
        lies_in = {"7"} if field == "created_at" else set()
        assert set(ids(reader.incremental_scan(CONVERSATIONS, NOW - 1000, NOW))) == good | lies_in
