"""The two things read by search, and how Intercom names them.

What a search asks for is in `queries`; what is done with the records is no business of this package.
"""

from enum import Enum

_EXACT_SINCE = (2, 17)


class Stream(Enum):
    """One kind of record that Intercom's search can list: contacts or conversations."""

    CONTACTS = "contacts"
    CONVERSATIONS = "conversations"

    @property
    def path(self) -> str:
        """The search endpoint, relative to the API's host."""
        return f"/{self.value}/search"

    @property
    def key(self) -> str:
        """The key of the records in the answer: contacts come under `data`, conversations under their own name."""
        return "data" if self is Stream.CONTACTS else "conversations"

    def dates_are_exact(self, version: str) -> bool:
        """Whether a search compares this stream's dates by the second rather than by the workspace's calendar day.

        Conversations always; contacts from API 2.17 on (Intercom's change log). An unknown version counts as by day,
        the weaker reading. Completeness never depends on the answer, only how finely a large read may be cut.
        """
        if self is Stream.CONVERSATIONS:
            return True
        numbers = version.split(".")
        if not all(number.isdecimal() for number in numbers):
            return False
        return tuple(int(number) for number in numbers) >= _EXACT_SINCE


CONTACTS = Stream.CONTACTS
CONVERSATIONS = Stream.CONVERSATIONS
