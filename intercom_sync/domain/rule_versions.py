"""Versions of the rules whose results are stored, so that an upgrade computes them again (R10.4).

A rules hash (see `rules`) covers these versions and the settings. Each version has a digest of the rule's source, and
a test fails when the source changes and the digest does not. Raise the version when the rule computes other results;
after a change with the same results update the digest only.
"""

from typing import NamedTuple


class RuleVersion(NamedTuple):
    """Describe the version of a rule.

    Attributes:
        version: raised with every change of the rule's results.
        modules: entry modules of the rule in this package. Their imports belong to the rule too, up to the entry
            modules of other rules.
        digest: digest of the source, without comments and docstrings.
    """

    version: int
    modules: tuple[str, ...]
    digest: str


PARSING = RuleVersion(2, ("contacts", "conversations"), "912a797d39cfa707")
"""Validity and columns of contacts and conversations."""

REVENUE = RuleVersion(2, ("revenue.contact_revenue",), "1cbaa8c97b651072")
"""Revenue of a contact."""

TEXT = RuleVersion(2, ("messages",), "737d1a0b0484d2d4")
"""Visible text of a message. The HTML is not stored, so after a change the conversations are fetched again."""

MATCHING = RuleVersion(2, ("cancel_mentions",), "53822de53afbab77")
"""Cancel mentions in a visible text."""

RULE_VERSIONS = {"parsing": PARSING, "revenue": REVENUE, "text": TEXT, "matching": MATCHING}
