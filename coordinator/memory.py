"""How the process's allocator keeps what is free.

Decides two settings of glibc's malloc for a daemon that now and then needs large arrays
in a few threads, and otherwise little. Refuses to look for what holds memory: only what
is free already is given back to the system sooner.
"""

import ctypes
from typing import Final

LARGE_BYTES: Final = 32 * 1024
"""Blocks from this size on go back to the system when they are freed.

Without it the limit grows with the largest block ever freed, up to 32 MiB, and as much
stays with each heap for good. Ciphertexts, shares and rosters are above it: among small
blocks that stay for long they leave holes, which cost 63 MB after two rounds of 1,000
members.
"""

HEAPS_MAX: Final = 2
"""Heaps of threads beside each other; glibc makes eight for each processor."""

_ARENA_MAX: Final = -8
_MMAP_THRESHOLD: Final = -3


def give_back_large_blocks() -> bool:
    """Set both for this process; False where its libc has no such settings.

    Call before threads start: a heap that is there stays. What the environment says
    (`MALLOC_ARENA_MAX`) is overruled.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    return bool(
        mallopt(_MMAP_THRESHOLD, LARGE_BYTES) and mallopt(_ARENA_MAX, HEAPS_MAX)
    )
