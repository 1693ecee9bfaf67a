"""The two things read by search, and how Intercom names them.

What a search asks for is in `queries`; what is done with the records is no business of this package.
"""

from enum import Enum

from intercom_sync.intercom.versions import MERGES_TOLD, is_at_least

_EXACT_SINCE = (2, 17)


class Stream(Enum):
    """One kind of record that Intercom's search can list: contacts or conversations."""

    CONTACTS = "contacts"
    CONVERSATIONS = "conversations"

    @property
    def path(self) -> str:
        """The search endpoint, relative to the API's host."""
        return f"/{self.value}/search"

    def asked(self, version: str) -> str:
        """The search endpoint with what else is wanted: of users, also who was merged into them; it costs no call."""
        wanted = self is Stream.CONTACTS and is_at_least(version, MERGES_TOLD)
        return f"{self.path}?include_merge_history=true" if wanted else self.path

    @property
    def key(self) -> str:
        """The key of the records in the answer: contacts come under `data`, conversations under their own name."""
        return "data" if self is Stream.CONTACTS else "conversations"

    def dates_are_exact(self, version: str) -> bool:
        """Whether a search compares this stream's dates by the second rather than by the workspace's calendar day.

        Conversations always; contacts from API 2.17 on (Intercom's change log). An unknown version counts as by day,
        the weaker reading. Completeness never depends on the answer, only how finely a large read may be cut.
        """
        return self is Stream.CONVERSATIONS or is_at_least(version, _EXACT_SINCE)


CONTACTS = Stream.CONTACTS
CONVERSATIONS = Stream.CONVERSATIONS
