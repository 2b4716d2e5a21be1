"""Leases: the right to make a chunk or to write a file, which one process has at a time.

A lease is a small file next to what it is for (filelock.SoftFileLease). Its owner creates it
exclusively and renews it, so that several machines can share a folder without locks of its file
system. The lease of a dead process of the same machine is taken over at once, any other once it
has not been renewed for `DURATION`. A process that slept for longer may find that another one has
its lease: then both write the same content, each by a rename, and nothing is lost or doubled.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import SoftFileLease, Timeout

DURATION = 150.0  # seconds; NFS may show a file's old state for a minute
PAUSE = 0.05  # seconds between two attempts to get a lease
ENDING = ".lease"


@contextmanager
def leased(folder: Path, number: int) -> Iterator[bool]:
    """Yield whether this process has the lease of a number in a folder, which it then keeps."""
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
    """Wait for the lease of a file and keep it: what is read inside stays true until written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lease = _lease(path.with_name(f".{path.name}{ENDING}"))
    _acquire(lease, timeout=-1)
    try:
        yield
    finally:
        lease.release()


def tidy(folder: Path) -> None:
    """Delete a folder's leases that no process has, which a killed one may leave."""
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
    """Return a file's lease, always the same object: it observes for how long nobody renews it."""
    return SoftFileLease(file, lease_duration=DURATION, poll_interval=PAUSE)
