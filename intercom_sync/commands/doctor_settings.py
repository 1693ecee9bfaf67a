"""What `intercom-sync doctor` checks of the settings themselves; a wrong value is refused before it starts."""

from collections.abc import Iterator

from intercom_sync.commands.doctor_intercom import Line
from intercom_sync.settings import Settings


def check_settings(settings: Settings) -> Iterator[Line]:
    """Tell what is allowed and unwise."""
    yield from ((True, f"warning: {warning}") for warning in settings.warnings())
