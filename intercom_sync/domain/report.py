"""The figures of a run and how they are told: the success metrics and the log entry of the directive's output section.

Counting and timing belong to the assets; this module only words the result.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Figures:
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


def harmless(text: str) -> str:
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
