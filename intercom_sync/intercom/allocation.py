"""Large blocks of memory go back to the system when they are freed.

glibc keeps freed blocks of up to 32 MB for later, in a store for each thread: many threads that read one large answer
each kept hundreds of megabytes in which nothing was left. Other systems are left as they are.
"""

import ctypes
import os
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names and numbers of mallopt(3)
_LARGE = 4 * 2**20
"""Bytes: larger than a usual answer, so that reading those is as fast as ever."""


@cache
def give_back_large_blocks() -> bool:
    """Ask for it, once in a process; return whether the system knows it and no variable of its user says otherwise."""
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_option(_MMAP_THRESHOLD, _LARGE) and set_option(_TRIM_THRESHOLD, 2 * _LARGE))
