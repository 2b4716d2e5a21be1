"""Memory allocation."""

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX = -3, -1, -8  # of glibc's malloc.h


def keep_freed_memory() -> None:
    """Let this process reuse the memory that it frees, instead of returning it to the system.

    Call it at the start. On a CPU it saves a third of the time of small networks. It has no effect
    unless the C library is glibc.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_ARENA_MAX, 1)  # others, which threads have, are too small for a batch
