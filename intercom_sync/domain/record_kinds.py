"""The kinds of records that are extracted and landed."""

from enum import StrEnum

from intercom_sync.domain.schema.columns import Table
from intercom_sync.domain.schema.tables import INTERCOM_CONTACTS, INTERCOM_CONVERSATIONS


class RecordKind(StrEnum):
    """A kind of record, as the `kind` columns hold it."""

    CONTACT = "contact"
    CONVERSATION = "conversation"

    @property
    def table(self) -> Table:
        """The table that its records land in."""
        return _TABLES[self]

    @property
    def plural(self) -> str:
        """Its name for several of them."""
        return f"{self}s"


_TABLES = {RecordKind.CONTACT: INTERCOM_CONTACTS, RecordKind.CONVERSATION: INTERCOM_CONVERSATIONS}
