"""`intercom-sync`, and `python -m intercom_sync`, which is the same.

Listens for signals first and imports the rest afterwards, which takes a second or more.
"""

import sys

from intercom_sync.commands.stop_signals import run_until_stopped, when_stopped

# An embedded server that is just being made or started is waited for, so that it does not go on without a user.
_RELEASE_SECONDS = 60


def main() -> int:
    """Run one command and return its exit code."""
    return run_until_stopped(_command)


def _command() -> int:
    from intercom_sync.cli import main as command  # noqa: PLC0415
    from intercom_sync.warehouse.embedded.postgres_server import release_all  # noqa: PLC0415

    with when_stopped(lambda _: release_all(), _RELEASE_SECONDS):
        return command()


if __name__ == "__main__":
    sys.exit(main())
