"""The figures of a run and how they are told: the success metrics and the log entry of the directive's output section.

Counting and timing belong to the assets; this module only words the result.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class SyncStats:
    """What one run brought.

    Attributes:
        contacts_synced: customers new or updated.
        new_contacts: customers created.
        updated_contacts: existing customers whose contact the run read.
        skipped_contacts: contacts refused or without an email.
        errors: API calls given up after retries.
        sync_duration_seconds: from the first request to the end of the write.
        avg_quality_score: mean over the customers synced; None when none was.
        alerts_generated: alerts decided.
    """

    contacts_synced: int
    new_contacts: int
    updated_contacts: int
    skipped_contacts: int
    errors: int
    sync_duration_seconds: float
    avg_quality_score: float | None
    alerts_generated: int

    def as_json(self) -> dict[str, Any]:
        """Return the success metrics under the directive's keys, with one decimal as in the log entry."""
        average = self.avg_quality_score
        return {
            "contacts_synced": self.contacts_synced,
            "new_contacts": self.new_contacts,
            "updated_contacts": self.updated_contacts,
            "skipped_contacts": self.skipped_contacts,
            "errors": self.errors,
            "sync_duration_seconds": float(_tenths(self.sync_duration_seconds)),
            "avg_quality_score": None if average is None else float(_tenths(average)),
        }

    def log_entry(self, finished_at: datetime) -> str:
        """Return the log entry in the directive's form, the time in UTC."""
        average = self.avg_quality_score
        return (
            f"[{finished_at.astimezone(UTC):%Y-%m-%d %H:%M:%S}] Intercom sync completed\n"
            f"- Synced: {self.contacts_synced} contacts\n"
            f"- New: {self.new_contacts}, Updated: {self.updated_contacts}, Skipped: {self.skipped_contacts}\n"
            f"- Duration: {_tenths(self.sync_duration_seconds)}s\n"
            f"- Quality: {'n/a' if average is None else _tenths(average)} avg\n"
            f"- Alerts: {self.alerts_generated} generated"
        )


@dataclass(frozen=True)
class ContactCounts:
    """What became of the contacts that a run read, each counted once.

    Attributes:
        read: contacts met.
        customers: customers written of them.
        same_email: those that share their customer with another of them.
        without_email: usable, but without an email.
        rejected: refused for a rule.
        erased: kept out, as they belong to people that were forgotten.
        unwritten: those whose row the table of customers refused.
    """

    read: int
    customers: int
    same_email: int
    without_email: int
    rejected: int
    erased: int
    unwritten: int

    @property
    def skipped(self) -> int:
        """Those of which no customer comes."""
        return self.without_email + self.rejected + self.erased + self.unwritten

    def summary(self, figures: SyncStats) -> str:
        """Return the counts as a person reads them: the parts add up to the whole, and each has its name."""
        parts = (
            (self.customers, "customers"),
            (self.same_email, "merged by email"),
            (self.without_email, "without an email"),
            (self.rejected, "rejected (rejected_records says why)"),
            (self.erased, "kept out (forgotten)"),
            (self.unwritten, "refused by unified_customers (rejected_records says why)"),
        )
        named = " + ".join(f"{count:,} {name}" for count, name in parts if count or name == "customers")
        lines = [f"Contacts read: {self.read:,} = {named}"]
        if earlier := figures.contacts_synced - self.customers:
            lines.append(f"Customers of contacts that earlier runs had read: {earlier:,}")
        if 0 < figures.contacts_synced < FEW_ROWS:
            lines.append(f"The average quality is over {figures.contacts_synced} customers only.")
        return "\n".join(lines)


FEW_ROWS = 10
"""An average over fewer rows is shown with their number."""


def sanitize_for_display(text: str) -> str:
    """Return words of others as people may safely see them; the tables keep them as they are.

    Characters that a terminal or a page would act on (controls, direction and zero-width marks) become spaces, and what
    a spreadsheet would take for a formula (`=`, `+`, `-`, `@` in front) gets an apostrophe before it.
    """
    shown = "".join(char if char.isprintable() else " " for char in text).strip()
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def mask_email(email: str) -> str:
    """Return the email as previews show it: a***@e***.org, first letters and the top-level domain only."""
    local, at, domain = email.rpartition("@")
    if not at:
        return _masked(email)
    name, dot, top = domain.rpartition(".")
    if not dot or domain.startswith("["):
        return f"{_masked(local)}@{_masked(domain)}"
    return f"{_masked(local)}@{_masked(name)}.{top}"


def _masked(part: str) -> str:
    return f"{part[0] if part[:1].isalnum() else ''}***"


def _tenths(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
