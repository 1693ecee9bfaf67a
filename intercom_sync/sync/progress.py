"""What a sync tells while it works: how many records of a kind it has read, of how many."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Takes a kind (contacts, conversations, parts), the number done so far, and the number expected where known."""


def silent(kind: str, done: int, expected: int | None) -> None:
    """Tell nobody."""
