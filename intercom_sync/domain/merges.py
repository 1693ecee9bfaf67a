"""Merges: which contacts a contact took in, as its own record says.

What a merge means for words written under the old id is decided in `warehouse.merges`.
"""

from intercom_sync.domain.records import usable_id


def merged_ids(history: object) -> tuple[str, ...]:
    """Return the ids of the contacts that `merge_history` says were merged into its owner, each once.

    Only users carry one, and only where it was asked for; what cannot be read is passed over.
    """
    if type(history) is not list:
        return ()
    ids = (usable_id(merge.get("source_contact_id")) for merge in history if type(merge) is dict)
    return tuple(dict.fromkeys(id for id in ids if id))
