"""Leases, by which one process at a time makes a chunk or writes a file in a shared folder.

A lease is a small file next to its subject, created exclusively and renewed by its owner
(filelock.SoftFileLease); file-system locks are not used. The lease of a dead process of the same
machine is taken over at once, any other if it has not been renewed for DURATION. If two processes
hold one lease nevertheless, because one slept for longer, both write the same bytes and rename them
into place: work is done twice, but nothing is lost.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import SoftFileLease, Timeout

DURATION = 150.0  # seconds; NFS lets a machine believe for a minute what it has last seen of a file
PAUSE = 0.05  # seconds between two attempts to get what somebody has for a moment
ENDING = ".lease"


@contextmanager
def leased(folder: Path, number: int) -> Iterator[bool]:
    """Yield whether this process got the lease of a chunk; it keeps it until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    lease = _lease(folder / f".{number:05d}{ENDING}")
    try:
        _acquire(lease, timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lease.release()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lease of a file, and keep it until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lease = _lease(path.with_name(f".{path.name}{ENDING}"))
    _acquire(lease, timeout=-1)
    try:
        yield
    finally:
        lease.release()


def tidy(folder: Path) -> None:
    """Delete the leases in a folder that no process holds, because theirs were killed."""
    for file in folder.glob(f".*{ENDING}"):
        with suppress(Timeout), _lease(file).acquire(timeout=0):
            pass


def _acquire(lease: SoftFileLease, timeout: float) -> None:
    """Acquire a lease; the OSError of a full or read-only disk names the file."""
    try:
        lease.acquire(timeout=timeout)
    except OSError as error:
        if not isinstance(error, Timeout):
            error.filename = error.filename or lease.lock_file
        raise


@cache
def _lease(file: Path) -> SoftFileLease:
    """Return the lease of a file, always the same object, which observes when others renew it."""
    return SoftFileLease(file, lease_duration=DURATION, poll_interval=PAUSE)
