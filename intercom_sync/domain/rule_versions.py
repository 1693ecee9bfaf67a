"""The version of every rule whose results are stored, so that an upgrade computes them again.

A fingerprint of rules (see `rules`) holds the versions as well as the settings. Beside each version is a digest of the
rule's source: a test fails when the source changes and this module does not. Raise the version when what the rule
computes has changed; a change of form alone needs the new digest only.
"""

from typing import NamedTuple


class RuleVersion(NamedTuple):
    """A rule's version.

    Attributes:
        version: counts the changes of what the rule computes.
        modules: modules of this package where the rule begins; what they import belongs to it too, up to the modules
            where another rule begins.
        digest: of the source, without comments and docstrings.
    """

    version: int
    modules: tuple[str, ...]
    digest: str


PARSING = RuleVersion(2, ("contacts", "conversations"), "bcac76afc610f31a")
"""Which contacts and conversations are usable, and their columns."""

REVENUE = RuleVersion(2, ("revenue.contact_revenue",), "da7af9354b321f28")
"""What a contact pays."""

TEXT = RuleVersion(2, ("messages",), "dd6a25d9cdccaaf2")
"""What a message says: its visible text. The HTML is not stored, so a change fetches the conversations again."""

MATCHING = RuleVersion(2, ("cancel_mentions",), "49950a2a38a4c14c")
"""Whether a visible text says one of the cancel words."""

RULE_VERSIONS = {"parsing": PARSING, "revenue": REVENUE, "text": TEXT, "matching": MATCHING}
