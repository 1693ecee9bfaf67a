"""Unexpected errors: those that cannot hold customers' data keep their message, others only their class and place.

Database drivers, parsers and HTTP clients repeat what they were given: a row, a statement, a body. Dagster and the
operating system speak of configuration, files and ports. Errors that were expected are sentences of ours and pass as
they are.
"""

import errno
import os
import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).parent
_OUR_NAME = __name__.partition(".")[0]
_SAFE_PACKAGES = {"dagster", "dagster_shared", "dagster_postgres", "alembic", "subprocess"}
# Of Dagster's errors those that repeat a value they were given, or the text of an error in another process.
_REPEATING = {
    "ParameterCheckError", "ElementCheckError", "NotImplementedCheckError", "DagsterTypeCheckDidNotPass",
    "DagsterUserCodeProcessError", "DagsterSubprocessError",
}  # fmt: skip
_SYSTEM_MODULES = {"builtins", "socket", "ssl", "shutil"}
_MAX_LENGTH = 600
_SHORTEST_SECRET = 4
"""Characters: a shorter word is part of too many others."""
_secrets: set[str] = set()
_HINTS = {
    errno.EACCES: "Give this user the right to it, or name another place.",
    errno.EPERM: "Give this user the right to it, or name another place.",
    errno.EROFS: "Name a place that can be written to.",
    errno.ENOSPC: "Free some space and try again.",
    errno.EDQUOT: "Free some space and try again.",
    errno.ENOTDIR: "A part of that path is a file: name another place.",
    errno.ENOENT: "Make it, or name another place.",
    errno.EADDRINUSE: "Choose another port with --port.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENOMEM: "Free some memory and try again.",
}


class UnexpectedError(Exception):
    """Something went wrong that no rule is made for; the message holds nothing of customers' data."""


def hide_secrets(*values: str) -> None:
    """Leave these values out of all messages of this process from now on."""
    _secrets.update(value for value in values if len(value) >= _SHORTEST_SECRET)


@contextmanager
def redact_unexpected(*known: type[Exception]) -> Iterator[None]:
    """Let known errors pass, and replace any other by a description of it.

    Raises:
        UnforeseenError: in place of any other exception, without a trace of it.
    """
    try:
        yield
    except known:
        raise
    except Exception as error:
        raise UnexpectedError(describe(error)) from None


def describe(error: Exception) -> str:
    """Return an error's own message where it cannot hold customers' data, else its class and where it was raised."""
    inner = getattr(error, "user_exception", None)  # Dagster wraps what code of ours raised
    return describe(inner) if isinstance(inner, Exception) else _message(error) or _place_of(error)


def _message(error: Exception) -> str:
    """Return the message of an error of the operating system, of Dagster or the like; empty for any other."""
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    if isinstance(error, OSError) and (package in _SYSTEM_MODULES or package == _OUR_NAME):
        return _of_system(error)
    if package not in _SAFE_PACKAGES or kind.__name__ in _REPEATING:
        return ""
    return f"{package.partition('_')[0].capitalize()}: {_scrubbed(str(error))}" if str(error).strip() else ""


def _of_system(error: OSError) -> str:
    if type(error).__module__.startswith(_OUR_NAME):
        return error.strerror or str(error)
    number = error.errno
    if number is None:
        return ""
    # Only the number is the system's: a library may raise the same class with words of its own.
    reason = os.strerror(number) if number > 0 else error.strerror
    name = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return _scrubbed(f"{reason}{name}. {_HINTS.get(number, '')}")


def _scrubbed(text: str) -> str:
    """Return a message on one line, without secrets and emails."""
    line = " ".join(text.split())
    for secret in sorted(_secrets, key=len, reverse=True):
        line = line.replace(secret, "***")
    line = re.sub(r"[^\s'\"]+", lambda word: "…" if "@" in word[0] else word[0], line)
    return line if len(line) <= _MAX_LENGTH else f"{line[: _MAX_LENGTH - 1]}…"


def _place_of(error: Exception) -> str:
    """Return an error's class, and where in our code and where at all it was raised."""
    kind = type(error)
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    where = f"{_place(ours[-1])}" if ours else "no code of ours"
    return (
        f"An unforeseen {kind.__module__}.{kind.__qualname__} in {where}"
        f"{f', raised in {_place(frames[-1])}' if frames and frames[-1:] != ours[-1:] else ''}. "
        "Its own words may hold customers' data and are not kept."
    )


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    name = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else Path(*path.parts[-2:])
    return f"{name}:{frame.lineno}"
