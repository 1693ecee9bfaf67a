"""Return freed memory to the operating system.

glibc keeps freed blocks of up to 32 MB in an arena per thread. With many threads that each read one large response,
hundreds of megabytes of free memory stayed allocated. Systems without glibc are not changed.
"""

import ctypes
import os
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names and numbers of mallopt(3)
_LARGE_BLOCK_BYTES = 4 * 2**20
"""Larger than a usual response, so that reading those is not slowed down."""


@cache
def return_freed_memory() -> bool:
    """Configure malloc once per process; return False without glibc or when the user has configured malloc."""
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(set_option(_MMAP_THRESHOLD, _LARGE_BLOCK_BYTES) and set_option(_TRIM_THRESHOLD, 2 * _LARGE_BLOCK_BYTES))
