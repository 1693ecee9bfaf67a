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
        found = ids(reader.everything(CONVERSATIONS))
        assert set(found) == {str(1000 + at) for at in range(900)} | {"7"}
        assert len(found) == 901
