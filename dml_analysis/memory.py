"""What this machine is: its processor and the sizes of its caches; and how its memory is asked for."""

import ctypes
import platform
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

CACHES, CPU_INFO = Path("/sys/devices/system/cpu/cpu0/cache"), Path("/proc/cpuinfo")  # Linux has them
M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, M_ARENA_MAX = -3, -1, -8  # of glibc's malloc.h
USUAL = {1: 2**15, 2: 2**20, 3: 2**24}  # bytes, where nothing is known


@lru_cache
def cache_bytes(level):
    """The bytes of a core's data cache of level 1 or 2, or of the cache of level 3."""
    for folder in CACHES.glob("index*"):
        try:
            found, kind, size = ((folder / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if found == str(level) and kind != "Instruction" and size.endswith("K"):
            return 1024 * int(size[:-1])
    return USUAL[level]


def processor():
    """The processor's name; on Linux with its family and model, where it has such: clouds give one name to processors that differ."""
    try:
        lines = CPU_INFO.read_text().splitlines()
    except OSError:
        lines = []
    pairs = (line.partition(":") for line in reversed(lines))  # of several processors the first stays
    known = {key.strip(): value.strip() for key, _, value in pairs}
    if {"model name", "cpu family", "model"} <= known.keys():
        return f"{known['model name']}, family {known['cpu family']}, model {known['model']}"
    return known.get("model name") or platform.processor() or platform.machine()


def keep_freed_memory():
    """Let this process, at whose beginning it is called, keep the memory that it frees, for what comes next.

    On a CPU, to ask the system for that of every layer anew takes a fifth of the time of small networks. Threads that are there
    already keep room of their own. Does nothing where the C library is not glibc.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(M_ARENA_MAX, 1)  # others, which threads have, are too small for a batch
