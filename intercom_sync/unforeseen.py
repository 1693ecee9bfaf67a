"""Errors that nobody foresaw, told without their own words: those may hold a row, a statement or an address.

What is kept is enough to find the place. Errors that were foreseen are sentences of ours and pass as they are.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PACKAGE = Path(__file__).parent


class UnforeseenError(Exception):
    """Something went wrong that no rule is made for; the message says where, and nothing of what was being handled."""


@contextmanager
def without_words(*known: type[Exception]) -> Iterator[None]:
    """Let known errors through, and tell any other by its class and its place.

    Raises:
        UnforeseenError: in place of any other exception, without a trace of it.
    """
    try:
        yield
    except known:
        raise
    except Exception as error:
        raise UnforeseenError(told(error)) from None


def told(error: Exception) -> str:
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
