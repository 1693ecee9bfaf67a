"""Hypothesis strategies for writes of other systems to the customers, in the real table and in the oracle."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from intercom_sync_tests.model.oracle import Oracle
from intercom_sync_tests.model.rows import EMPTY
from intercom_sync_tests.model.store import Store
from intercom_sync_tests.model.words import DAY, EMAILS
from intercom_sync_tests.model.world import START

_values = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Named by sales", "Ada", "", None]),
        "mrr": st.sampled_from([Decimal(10), Decimal(900), Decimal("1.23456789"), "NaN", None]),
        "ltv": st.sampled_from([Decimal(1), Decimal("2.123456789"), "-Infinity", None]),
        "plan_name": st.sampled_from(["Sold by hand", None]),
        "location_city": st.sampled_from(["Galway", None]),
        "stripe_customer_id": st.sampled_from(["cus_theirs", None]),
        "subscription_status": st.sampled_from(["active", "their word", None]),
        "subscription_count": st.sampled_from([2, 0, None]),
        "is_delinquent": st.sampled_from([True, False, None]),
        "last_seen_at": st.sampled_from([START - 3 * DAY, START + 2 * DAY, "infinity", "-infinity", None]),
        "csat_score": st.sampled_from([Decimal(2), "NaN", None]),
        "open_tickets": st.sampled_from([9, None]),
        "mentioned_cancel": st.sampled_from([True, None]),
    },
).filter(bool)
_emails = st.sampled_from([*EMAILS, "Ada@Example.com", "only.theirs@example.com"])


@dataclass(frozen=True)
class Other:
    """Another system's write of some values or deletion of a row."""

    email: str
    values: dict[str, Any] | None

    def __call__(self, store: Store, oracle: Oracle) -> None:
        """Apply the write to the table and to the oracle."""
        key = self.email.lower()
        if self.values is None:
            store.delete(key)
            oracle.rows.pop(key, None)
        else:
            store.write(self.email, self.values)
            oracle.rows[key] = oracle.rows.get(key, EMPTY | {"email": self.email}) | self.values


others = st.one_of(
    st.builds(Other, _emails, _values), st.builds(Other, _emails, _values), st.builds(Other, _emails, st.none())
)
