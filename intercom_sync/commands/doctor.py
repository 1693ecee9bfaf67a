"""`intercom-sync doctor`: check what a sync needs, a line each, good or what to do."""

import sys
from collections.abc import Callable, Iterator

from intercom_sync.commands.doctor_database import check_database
from intercom_sync.commands.doctor_intercom import Line, check_intercom
from intercom_sync.commands.doctor_settings import check_settings
from intercom_sync.commands.doctor_slack import check_slack
from intercom_sync.domain.report import harmless
from intercom_sync.settings import Settings

CHECKS: tuple[Callable[[Settings], Iterator[Line]], ...] = (check_settings, check_intercom, check_database, check_slack)
"""Every check, in the order of the lines."""


def doctor(settings: Settings) -> int:
    """Print what is good and what to do; return 0 when a sync can run, 1 when not."""
    found = [line for check in CHECKS for line in check(settings)]
    for good, line in found:
        print(f"{'ok  ' if good else 'MEND'}  {harmless(line)}", file=sys.stdout)
    return 0 if all(good for good, _ in found) else 1
