"""How the time of a computation grows with its input: a ratio, so that a slow or busy machine gives the same answer."""

import time
from collections.abc import Callable
from typing import Any

_TIMES = 4
_NOISE_SECONDS = 0.02
_AT_MOST = 2.5 * _TIMES  # quadratic time gives 16


def is_linear(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> bool:
    """Whether four times the input takes about four times as long, by the processor time of this thread."""
    for _ in range(4):
        small, large = (min(_seconds(work, make(n)) for _ in range(2)) for n in (size, _TIMES * size))
        if large < _NOISE_SECONDS or large / small < _AT_MOST:
            return True
    return False


def _seconds(work: Callable[[Any], object], given: Any) -> float:
    began = time.thread_time()
    work(given)
    return time.thread_time() - began
