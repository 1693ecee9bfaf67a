"""What Intercom's API versions have in common with numbers, and since when something is there.

What is done where a version lacks it is decided where it is asked for.
"""

MERGES_TOLD = (2, 16)
"""From here on a merged contact answers 410 with its target, and users carry their merge history."""
DELETIONS_LISTED = (2, 16)
"""From here on deleted conversations are listed."""


def is_at_least(version: str, wanted: tuple[int, int]) -> bool:
    """Whether a version is a numbered one and as new as that; `Preview` and the like count as older."""
    numbers = version.split(".")
    return all(number.isdecimal() for number in numbers) and tuple(map(int, numbers)) >= wanted
