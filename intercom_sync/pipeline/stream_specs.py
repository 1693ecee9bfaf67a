"""Stream specifications: what differs between extracting contacts and conversations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from intercom_sync.domain.contacts import Contact, parse_contact
from intercom_sync.domain.conversations import Conversation, parse_conversation
from intercom_sync.domain.parse_records import ParsedBatch
from intercom_sync.domain.record_kinds import RecordKind
from intercom_sync.domain.rules import Rules
from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import CONTACT_MERGES, INTERCOM_MESSAGES, REVENUE_METRICS
from intercom_sync.intercom.streams import CONTACTS, CONVERSATIONS, Stream
from intercom_sync.pipeline.conversation_parts import land_with_pending_parts
from intercom_sync.warehouse.landing.land_contacts import LandingContext, land_contacts
from intercom_sync.warehouse.postgres.session import Session


@dataclass(frozen=True)
class StreamSpec:
    """How one kind of record is extracted and landed.

    Attributes:
        kind: the kind of its records.
        asset: the key of its asset.
        search: how Intercom's search lists them.
        parse: parses one record, or raises `InvalidRecordError`.
        load: lands parsed records inside the caller's transaction.
        side_tables: tables that are loaded with the kind's own.
        counts: attributes of `StreamResult` that only this stream fills.
    """

    kind: RecordKind
    asset: str
    search: Stream
    parse: Callable[[Any, Rules], Contact | Conversation]
    load: Callable[[Session, ParsedBatch[Any], LandingContext], None]
    side_tables: tuple[Table, ...] = ()
    counts: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables that it loads."""
        return (self.kind.table, *self.side_tables)


CONTACT_STREAM = StreamSpec(
    kind=RecordKind.CONTACT,
    asset="raw_contacts",
    search=CONTACTS,
    parse=parse_contact,
    load=land_contacts,
    side_tables=(CONTACT_MERGES, REVENUE_METRICS),
)
CONVERSATION_STREAM = StreamSpec(
    kind=RecordKind.CONVERSATION,
    asset="raw_conversations",
    search=CONVERSATIONS,
    parse=lambda record, rules: parse_conversation(record),
    load=land_with_pending_parts,
    side_tables=(INTERCOM_MESSAGES,),
    counts=("parts_fetched", "parts_failed"),
)
STREAMS = (CONTACT_STREAM, CONVERSATION_STREAM)
