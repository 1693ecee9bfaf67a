"""What a role must be granted, in words, from PostgreSQL's sentence about what it refuses.

Which statements an administrator runs stands in deploy/README.md; what is looked at before a sync begins, in `rights`.
"""

import re

DENIED = "permission denied"
_RIGHTS = {
    "table": "SELECT, INSERT, UPDATE and DELETE",
    "sequence": "USAGE",
    "schema": "USAGE and CREATE",
    "database": "CREATE",
}
_REFUSED = re.compile(rf"{DENIED} for ({'|'.join(_RIGHTS)}) (\S+)")


def right_to_grant(sentence: str) -> str:
    """Return the right that a sentence such as "permission denied for table x" asks for."""
    if "temporary tables" in sentence:
        return "TEMPORARY on the database"
    refused = _REFUSED.search(sentence)
    return f"{_RIGHTS[refused[1]]} on the {refused[1]} {refused[2]}" if refused else "it"
