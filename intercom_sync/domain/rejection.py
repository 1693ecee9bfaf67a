"""Why a record cannot be used: one reason, the field, and its value.

Raised while a record is read and kept in `rejected_records` for a person to mend; see `contacts` and `conversations`
for the rules themselves.
"""

from dataclasses import dataclass
from typing import Any


@dataclass
class RejectionError(Exception):
    """The first rule that a record breaks.

    Attributes:
        reason: a sentence without personal data, as shown in logs, e.g. "email is not a valid address".
        field: path of the field in the record, e.g. "custom_attributes.stripe_subscription_status".
        value: what stood there, for the table only.
    """

    reason: str
    field: str
    value: Any = None

    def __str__(self) -> str:
        """Return reason and field; never the value, which may be personal."""
        return f"{self.reason} ({self.field})"
