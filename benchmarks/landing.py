"""Landing: from response bytes to committed rows, compared with parsing and one copy of the same columns."""

import time
from datetime import UTC, datetime
from functools import partial

import orjson

from benchmarks.database import fresh
from benchmarks.row import Row
from intercom_sync.domain.contacts import Contact, parse_contact
from intercom_sync.domain.parse_records import parse_records
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.domain.rules import Rules
from intercom_sync.sandbox.generate import generate
from intercom_sync.warehouse.landing.land_contacts import LandingContext, contact_frame, land_contacts
from intercom_sync.warehouse.postgres.session import Session

_PAGES_PER_BATCH = 10


def rows(scale: float, repeat: int) -> list[Row]:
    """Measure the suite."""
    contacts = max(1_000, int(200_000 * scale))
    records = generate(contacts=contacts, conversations=0).contacts()
    pages = [orjson.dumps({"data": records[i : i + 150]}) for i in range(0, contacts, 150)]
    del records
    ours, floor = [], []
    for _ in range(repeat):
        with fresh()() as session:
            floor.append(_floor(session, pages))
            ours.append(_landing(session, pages))
    return [Row(f"landing {contacts:,} contacts, parse to committed", tuple(ours), tuple(floor), "s", 2.5)]


def _landing(session: Session, pages: list[bytes]) -> float:
    rules, landing = Rules(), LandingContext("bench", datetime.now(UTC), Rules())
    began = time.perf_counter()
    for first in range(0, len(pages), _PAGES_PER_BATCH):
        records = [record for page in pages[first : first + _PAGES_PER_BATCH] for record in orjson.loads(page)["data"]]
        batch = parse_records(records, partial(parse_contact, rules=rules))
        with session.transaction():
            land_contacts(session, batch, landing)
    return time.perf_counter() - began


def _floor(session: Session, pages: list[bytes]) -> float:
    began = time.perf_counter()
    parsed = [orjson.loads(page)["data"] for page in pages]
    parsing = time.perf_counter() - began
    frame = contact_frame(list(filter(None, map(_parsed, (r for p in parsed for r in p)))))
    del parsed
    began = time.perf_counter()
    with session.transaction():
        session.stage("floor", frame)
    return parsing + time.perf_counter() - began


def _parsed(record: object) -> tuple[Contact, str] | None:
    try:
        return parse_contact(record, Rules()), orjson.dumps(record).decode()
    except InvalidRecordError:
        return None
