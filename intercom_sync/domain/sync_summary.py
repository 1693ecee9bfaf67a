"""Metrics and log entry of a run (R8), and safe display of texts and emails."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class SyncStats:
    """Hold the metrics of one run.

    Attributes:
        contacts_synced: customers created or updated.
        new_contacts: customers created.
        updated_contacts: existing customers whose contact the run read.
        skipped_contacts: contacts rejected or without an email.
        errors: API calls that failed after all retries.
        sync_duration_seconds: from the first request to the end of the write.
        avg_quality_score: mean over the customers synced; None when there are none.
        alerts_generated: alerts created.
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
        """Return the metrics as JSON, with one decimal as in the log entry."""
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
        """Return the log entry in its fixed form (R8.2), the time in UTC."""
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
    """Count the outcomes of the contacts that a run read, each contact once.

    Attributes:
        read: contacts read.
        customers: customers written from them.
        same_email: contacts that share their customer with another one.
        without_email: valid contacts without an email.
        rejected: contacts that break a rule.
        erased: contacts dropped because they match the suppression list.
        unwritten: contacts whose row `unified_customers` rejected.
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
        """Return the number of contacts without a customer."""
        return self.without_email + self.rejected + self.erased + self.unwritten

    def summary(self, stats: SyncStats) -> str:
        """Format the counts for a person: named parts that add up to the contacts read."""
        parts = (
            (self.customers, "customers"),
            (self.same_email, "merged by email"),
            (self.without_email, "without an email"),
            (self.rejected, "rejected (rejected_records says why)"),
            (self.erased, "erased (on the suppression list)"),
            (self.unwritten, "rejected by unified_customers (rejected_records says why)"),
        )
        named = " + ".join(f"{count:,} {name}" for count, name in parts if count or name == "customers")
        lines = [f"Contacts read: {self.read:,} = {named}"]
        if earlier := stats.contacts_synced - self.customers:
            lines.append(f"Customers of contacts that earlier runs read: {earlier:,}")
        if 0 < stats.contacts_synced < FEW_ROWS:
            lines.append(f"The average quality is over {stats.contacts_synced} customers only.")
        return "\n".join(lines)


FEW_ROWS = 10
"""Below this number of rows, an average is shown with its number of rows."""


def sanitize_for_display(text: str) -> str:
    """Make a text of unknown origin safe to display; the tables keep it unchanged.

    Control, direction and zero-width characters become spaces, because terminals and pages act on them. A text that a
    spreadsheet would run as a formula (`=`, `+`, `-` or `@` in front) gets an apostrophe before it.
    """
    shown = "".join(char if char.isprintable() else " " for char in text).strip()
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def mask_email(email: str) -> str:
    """Mask an email to first letters and top-level domain, as in a***@e***.org."""
    local, at, domain = email.rpartition("@")
    if not at:
        return _mask(email)
    name, dot, top = domain.rpartition(".")
    if not dot or domain.startswith("["):
        return f"{_mask(local)}@{_mask(domain)}"
    return f"{_mask(local)}@{_mask(name)}.{top}"


def _mask(part: str) -> str:
    return f"{part[0] if part[:1].isalnum() else ''}***"


def _tenths(value: float) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
