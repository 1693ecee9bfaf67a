"""The command line: what it understands, and how it ends.

Exit codes: 0 done, 1 failed, 2 wrong use or configuration, and 128 plus the signal's number for a command that was
stopped (130 by Ctrl-C; see `commands.stop_signals`). What a command does is in `commands`.
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

FAILED, WRONG_USE = 1, 2
_Value = TypeVar("_Value")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except SyncError as error:
        print(error, file=sys.stderr)
        return FAILED
    except Exception as error:
        print(describe(error), file=sys.stderr)
        return FAILED


def _parser() -> argparse.ArgumentParser:
    settings = "\n".join(
        f"  {one.name}{f' ({one.default})' if one.default else ''}\n      {one.meaning}" for one in SETTINGS
    )
    parser = argparse.ArgumentParser(
        "intercom-sync",
        description="Turns an Intercom workspace into one trustworthy Postgres table of customers.",
        epilog=f"settings, from the environment or a .env file:\n{settings}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('intercom-sync')}")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_up(commands.add_parser("up", help="Dagster UI, daemon, schedules and sensors, until Ctrl-C"))
    _add_demo(commands.add_parser("demo", help="the same on a sandbox Intercom and a database of its own"))
    _add_sync(commands.add_parser("sync", help="one sync in the foreground; by default all since the last one"))
    _add_forget(commands.add_parser("forget", help="erases one person from every table and keeps them out"))
    _add_doctor(commands.add_parser("doctor", help="looks at all that a sync needs, a line each"))
    _add_migrate(commands.add_parser("migrate", help="brings the tables up to date; a sync does the same first"))
    _add_psql(commands.add_parser("psql", help="opens psql on the database, or prints its URL"))
    _add_sandbox(commands.add_parser("sandbox", help="a local Intercom with an invented company, until Ctrl-C"))
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="port of the UI (default: 3000, or the next free one)")
    parser.add_argument("--host", default="127.0.0.1", help="address of the UI (default: %(default)s)")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.up import up  # noqa: PLC0415  (a second of imports that other commands spare)

        return up(Settings.load(), options.host, options.port)

    parser.set_defaults(run=run)


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, help="port of the UI (default: 3000, or the next free one)")
    _add_company(parser)

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.demo import demo  # noqa: PLC0415

        return demo(options.port, options.contacts, options.conversations, options.seed)

    parser.set_defaults(run=run)


def _add_sync(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="read everything, and find what was deleted")
    what.add_argument("--window", type=_readable(parse_window), metavar="START/END", help="read one window, UTC")
    parser.add_argument(
        "--as-of", type=_readable(parse_time), metavar="TIME", help="the sync's now (default: the clock)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.sync import SyncRequest, sync  # noqa: PLC0415

        as_of: datetime | None = options.as_of
        return sync(Settings.load(), SyncRequest(options.full, options.window, as_of), options.json)

    parser.set_defaults(run=run)


def _add_forget(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Erases whoever has an email from every table, the row of unified_customers with what other systems wrote in "
        "it included, and keeps them out of all later syncs. There is no way back. Intercom itself and Slack are out "
        "of reach: delete them there as well."
    )
    parser.add_argument("email", type=_readable(_address), metavar="EMAIL", help="in any case")

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
    parser.add_argument("--dry-run", action="store_true", help="only print what would be changed")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.migrate_database import migrate  # noqa: PLC0415

        return migrate(Settings.load(), dry_run=options.dry_run)

    parser.set_defaults(run=run)


def _add_psql(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", action="store_true", help="print the URL, without its password, and end")
    parser.add_argument("-c", "--command", metavar="SQL", help="run one statement and end")

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.commands.psql import psql  # noqa: PLC0415

        return psql(Settings.load(), url_only=options.url, command=options.command)

    parser.set_defaults(run=run)


def _add_sandbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=_port, default=8787, help="port to listen on (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="requests a second and budget (default: 10,000 a minute)")
    parser.add_argument("--latency-ms", type=float, default=0, help="wait before each answer (default: %(default)s)")
    parser.add_argument("--token", help="the only access token it takes (default: any)")
    _add_company(parser)

    def run(options: argparse.Namespace) -> int:
        from intercom_sync.sandbox.server import serve  # noqa: PLC0415

        serve(**{name: value for name, value in vars(options).items() if name != "run"})
        return 0

    parser.set_defaults(run=run)


def _add_company(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--contacts", type=int, default=1_200, help="contacts of the company (default: %(default)s)")
    parser.add_argument("--conversations", type=int, default=1_800, help="its conversations (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="another seed invents another company")


def _port(text: str) -> int:
    """Read a port.

    Raises:
        argparse.ArgumentTypeError: when it is none.
    """
    if not text.isdecimal() or not 0 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return int(text)


def _address(text: str) -> str:
    """Read an email.

    Raises:
        ValueError: when it is none.
    """
    try:
        email = clean_email(text)
    except InvalidRecordError:
        email = None
    if email is None:
        raise ValueError("that is no email address")
    return email


def _readable(read: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Return a reader whose error argparse shows as it is."""

    def reader(text: str) -> _Value:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return reader
