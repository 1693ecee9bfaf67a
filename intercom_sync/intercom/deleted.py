"""The list of deleted conversations: what Intercom says itself that it no longer holds.

What follows for the records that landed is the caller's business.
"""

from collections.abc import Iterator
from typing import Any

from intercom_sync.domain.records import record_id, usable_timestamp
from intercom_sync.intercom.client import IntercomClient
from intercom_sync.intercom.errors import Gone, NotInVersion
from intercom_sync.intercom.shapes import next_page
from intercom_sync.intercom.versions import DELETIONS_LISTED, is_at_least


def deleted(client: IntercomClient, since: int | None) -> Iterator[list[str]]:
    """The ids of the conversations deleted since a UNIX second (None: ever), a page at a time, newest first.

    The page that reaches beyond it is given whole. Nothing where the API version asked for has no such list.

    Raises:
        IntercomError: a page that stayed refused, after the pages read before it.
    """
    if not is_at_least(client.version, DELETIONS_LISTED):
        return
    number, before = 1, None
    while True:
        try:
            answer = client.deleted_conversations(number)
        except (Gone, NotInVersion):
            return
        listed = answer["conversations"]
        if not listed or listed == before:  # a page that comes again would come for ever
            return
        yield [name for name in map(record_id, listed) if name]
        # Only whether there is a next page is asked: it is a URL, and the token must not follow it to another host.
        if next_page(answer) is None or _reaches(listed, since):
            return
        number, before = number + 1, listed


def _reaches(listed: list[Any], since: int | None) -> bool:
    times = [usable_timestamp(item.get("deleted_at")) for item in listed if isinstance(item, dict)]
    return since is not None and min((at for at in times if at is not None), default=since) < since
