"""The `intercom-sync` command line: argument parsing and exit codes.

Exit codes: 0 success, 1 failure, 2 usage or configuration error, and 128 plus the signal number when a signal stops
the command (130 for Ctrl-C; see `commands.stop_signals`). `commands` implements the commands.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import TypeVar

from intercom_sync.domain.emails import clean_email
from intercom_sync.domain.errors import SyncError
from intercom_sync.domain.parsing import InvalidRecordError
from intercom_sync.pipeline.run_plan import parse_time, parse_window
from intercom_sync.redaction import describe
from intercom_sync.settings import SETTINGS, Settings, SettingsError

FAILED, USAGE_ERROR = 1, 2
_Value = TypeVar("_Value")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return USAGE_ERROR
    except SyncError as error:
        print(error, file=sys.stderr)
        return FAILED
    except Exception as error:
        print(describe(error), file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    settings = "\n".join(
        f"  {setting.name}{f' ({setting.default})' if setting.default else ''}\n      {setting.meaning}"
        for setting in SETTINGS
    )
    parser = argparse.ArgumentParser(
        "intercom-sync",
        description="Turns an Intercom workspace into one trustworthy Postgres table of customers.",
        epilog=f"settings, from the environment or a .env file:\n{settings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('intercom-sync')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_up(commands.add_parser("up", help="run the Dagster UI, daemon, schedules and sensors until Ctrl-C"))
    _add_demo(commands.add_parser("demo", help="run the same on a sandbox Intercom with a separate database"))
    _add_sync(commands.add_parser("sync", help="run one sync in the foreground; default: changes since the last sync"))
    _add_forget(
        commands.add_parser("forget", help="erase one person from every table and exclude them from later syncs")
    )
    _add_doctor(commands.add_parser("doctor", help="check everything that a sync needs, one line per check"))
    _add_migrate(
        commands.add_parser("migrate", help="migrate the tables to the current schema; a sync does this first")
    )
    _add_psql(commands.add_parser("psql", help="open psql on the database, or print its URL"))
    _add_sandbox(commands.add_parser("sandbox", help="run a local Intercom with a generated workspace until Ctrl-C"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="port of the UI (default: 3000, or the next free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address of the UI (default: %(default)s)")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.up import up  # noqa: PLC0415  (saves the other commands a second of imports)

        return up(Settings.load(), options.host, options.port)

    parser.set_defaults(run=run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="port of the UI (default: 3000, or the next free one)")
    _add_workspace(parser)

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.demo import demo  # noqa: PLC0415

        return demo(options.port, options.contacts, options.conversations, options.seed)

    parser.set_defaults(run=run)


def _add_sync(parser: argparse.ArgumentParser) -> None:
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--full", action="store_true", help="extract all records and detect deletions")
    scope.add_argument(
        "--window", type=_argument_type(parse_window), metavar="START/END", help="extract one window, UTC"
    )
    parser.add_argument(
        "--as-of", type=_argument_type(parse_time), metavar="TIME", help="the sync's now (default: the current time)"
    )
    parser.add_argument("--json", action="store_true", help="print the statistics as JSON")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.sync import SyncRequest, sync  # noqa: PLC0415

        as_of: datetime | None = options.as_of
        return sync(Settings.load(), SyncRequest(options.full, options.window, as_of), options.json)

    parser.set_defaults(run=run)


def _add_forget(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Erases everyone with this email from every table, including the row of unified_customers and the values that "
        "other systems wrote to it, and excludes them from all later syncs. This cannot be undone. It does not delete "
        "data in Intercom or Slack: delete it there as well."
    )
    parser.add_argument(
        "email", type=_argument_type(_email), metavar="EMAIL", help="upper or lower case does not matter"
    )

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.forget import forget  # noqa: PLC0415

        return forget(Settings.load(), options.email)

    parser.set_defaults(run=run)


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    def run(_: argparse.Namespace) -> int:
        from intercom_sync.commands.doctor import doctor  # noqa: PLC0415

        return doctor(Settings.load())

    parser.set_defaults(run=run)


def _add_migrate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only print the pending changes")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.migrate_database import migrate  # noqa: PLC0415

        return migrate(Settings.load(), dry_run=options.dry_run)

    parser.set_defaults(run=run)


def _add_psql(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", action="store_true", help="print the URL without its password and exit")
    parser.add_argument("-c", "--command", metavar="SQL", help="run one statement and exit")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.psql import psql  # noqa: PLC0415

        return psql(Settings.load(), url_only=options.url, command=options.command)

    parser.set_defaults(run=run)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8787, help="port to listen on (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="requests per second (default: 10,000 per minute)")
    parser.add_argument("--latency-ms", type=float, default=0, help="delay before each response (default: %(default)s)")
    parser.add_argument("--token", help="the only access token it accepts (default: any)")
    _add_workspace(parser)

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.sandbox.server import serve  # noqa: PLC0415

        serve(**{name: value for name, value in vars(options).items() if name != "run"})
        return 0

    parser.set_defaults(run=run)


def _add_workspace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contacts", type=int, default=1_200, help="number of contacts (default: %(default)s)")
    parser.add_argument(
        "--conversations", type=int, default=1_800, help="number of conversations (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="random seed of the generated workspace (default: %(default)s)"
    )


def _port(text: str) -> int:
    """Parse a port number.

    Raises:
        argparse.ArgumentTypeError: the text is not a valid port.
    """
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _email(text: str) -> str:
    """Parse an email address.

    Raises:
        ValueError: the text is not a valid address.
    """
    try:
        email = clean_email(text)
    except InvalidRecordError:
        email = None
    if email is None:
        raise ValueError("this is not a valid email address")
    return email


def _argument_type(parse: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Return a parser whose error message argparse shows unchanged."""

    def parse_argument(text: str) -> _Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument
