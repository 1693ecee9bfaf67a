"""A conversation fetched by id: the messages of its parts, and how complete they are."""

from dataclasses import dataclass

from intercom_sync.domain.messages import (
    Message,
    oldest_part_at,
    opened_by_contact,
    parse_identity,
    parse_messages,
    parts_missing,
)
from intercom_sync.domain.parsing import record_updated_at


@dataclass(frozen=True)
class FetchedParts:
    """What contacts wrote in one conversation.

    Attributes:
        conversation_id: Intercom's id.
        updated_at: the version, UNIX seconds; None where it has none.
        missing: parts that exist and that Intercom did not return.
        oldest_at: when the oldest of the returned parts was written, UNIX seconds; None where there is none.
        source_known: whether the version says who opened the conversation.
        messages: the opening message and those of the parts.
    """

    conversation_id: str
    updated_at: int | None
    missing: int
    oldest_at: int | None
    source_known: bool
    messages: tuple[Message, ...]


def parse_parts(detail: object) -> FetchedParts:
    """Parse a conversation with its parts.

    Raises:
        InvalidRecordError: where it is no conversation, or its contacts or parts are no lists.
    """
    record, conversation_id, _ = parse_identity(detail)
    return FetchedParts(
        conversation_id=conversation_id,
        updated_at=record_updated_at(detail),
        missing=parts_missing(detail),
        oldest_at=oldest_part_at(detail),
        source_known=opened_by_contact(record) is not None,
        messages=parse_messages(detail),
    )
