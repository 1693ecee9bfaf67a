"""What has landed tells where the next full read is best cut."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from intercom_sync.domain.contacts import parse_contact
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.sandbox.builders import contact
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session
from intercom_sync.warehouse.state.stream_stats import created_at_quantiles

_START = 1_780_000_000


@pytest.mark.parametrize(
    ("landed", "known"), [(0, None), (5, []), (20, [_START + 9]), (60, [_START + each for each in (14, 29, 44)])]
)
def test_the_times_part_what_has_landed_into_equal_shares_of_some_pages(
    landed: int, known: list[int] | None, connect: Callable[[], Session]
) -> None:
    rules = Rules()
    stamp = LandingContext("run", datetime.fromtimestamp(_START + 100, UTC), rules)
    made = [contact(id=str(each), created_at=_START + each, updated_at=_START + each) for each in range(landed)]
    with connect() as session, session.transaction():
        land_contacts(session, parse_records(made, lambda record: parse_contact(record, rules)), stamp)
        assert created_at_quantiles(session, RecordKind.CONTACT, most=4, least=10) == known
        assert created_at_quantiles(session, RecordKind.CONVERSATION) is None
