"""Measure how computation time grows with input size, as a ratio that does not depend on the machine's speed."""

import time
from collections.abc import Callable
from typing import Any

_FACTOR = 4
_NOISE_SECONDS = 0.02
_MAX_RATIO = 2.5 * _FACTOR  # quadratic time gives 16


def is_linear(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> bool:
    """Return whether four times the input takes about four times as much CPU time."""
    for _ in range(4):
        small, large = (min(_seconds(work, make(n)) for _ in range(2)) for n in (size, _FACTOR * size))
        if large < _NOISE_SECONDS or large / small < _MAX_RATIO:
            return True
    return False


def _seconds(work: Callable[[Any], object], value: Any) -> float:
    began = time.thread_time()
    work(value)
    return time.thread_time() - began
