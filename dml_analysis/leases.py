"""Claims: the right to make a part, or to write a file, which one process has at a time; on one machine, or on several that
share a folder.

A claim is a small file beside what is claimed. Whoever creates it has it, renews it as long as it works (a heartbeat), and
deletes it in the end. One that has not been renewed for a lease is abandoned, as is at once that of a process of this machine
that lives no more; then another process takes it over. Locks of the file system are not used: over NFS and Lustre they are
missing in some places, and hold on one machine alone in others. What is relied on, and tried by `check`:

- of several processes that create a file exclusively, one succeeds (POSIX, NFS from version 3 on, Lustre, BeeGFS, GPFS);
- a file takes another's place by a rename, at once and whole;
- a file's time of modification comes from one clock, the server's, and moves when a file is renewed.

Should two processes hold one claim all the same, since one of them slept for longer than a lease, both make the same bytes
and put them in place by a rename: work is done twice, and nothing is lost or doubled.

Standard library alone, for the renderer's environment.
"""

import os
import secrets
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from dml_analysis.errors import InputError

# Seconds. NFS lets a machine believe for a minute what it has last seen of a file.
LEASE, RENEWAL = 150, 20
PAUSE = 0.05  # seconds between two attempts to get what somebody has for a moment
ENDING = ".claim"


def machine():
    """What tells this machine from others: its name, its boot and the namespace of its processes, where these can be known."""
    known = [socket.gethostname()]
    with suppress(OSError):
        known.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8])
    with suppress(OSError):
        known.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return "-".join(known)


@contextmanager
def claimed(folder, number):
    """Yield whether a numbered claim in a folder is ours; it is until the end of the block, or of this process."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f".{number:05d}{ENDING}"
    owner = _created(file)
    if not owner:
        yield False
        return
    with _kept(file, owner):
        yield True


@contextmanager
def locked(path):
    """Wait until no other process or thread has this file, and have it: what is read inside stays true until written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f".{path.name}{ENDING}")
    while not (owner := _created(file)):
        time.sleep(PAUSE)
    with _kept(file, owner):
        yield


def tidy(folder):
    """Delete claims of a folder that are abandoned: those of processes that were killed once they had made their part."""
    for file in folder.glob(f".*{ENDING}"):
        _take_away_if_abandoned(file)


def check(folder):
    """Raise InputError if the file system of a folder cannot do what claims rely on."""
    folder.mkdir(parents=True, exist_ok=True)
    first, second = (folder / f".{name}-{secrets.token_hex(6)}{ENDING}" for name in ("first", "second"))
    try:
        owner = _created(first)
        twice = bool(_created(first))
        os.utime(first, (1, 1))
        _renew(first, owner)
        renewed = first.stat().st_mtime > 1
        second.write_text("another")
        os.replace(first, second)
        replaced = second.read_text() == owner and not first.exists()
    finally:
        for file in (first, second):
            file.unlink(missing_ok=True)
    lacking = {"creates a file twice": twice, "keeps a file's old time": not renewed, "does not rename": not replaced}
    for what, so in lacking.items():
        if so:
            raise InputError(
                f"{folder}: its file system {what}, so that processes cannot share work there; set another path"
            )


# ---------------------------------------------------------------------------------------------------------------------
# A claim's file.
# ---------------------------------------------------------------------------------------------------------------------
def _created(file):
    """Who we are to this claim, if we have it now; "" if somebody else has it."""
    _take_away_if_abandoned(file)
    owner = f"{machine()} {os.getpid()} {secrets.token_hex(8)}"
    try:
        created = open(file, "x")
    except FileExistsError:
        return ""
    try:
        with created:
            created.write(owner)
    except OSError as error:  # the disk is full
        file.unlink(missing_ok=True)
        error.filename = error.filename or str(file)
        raise
    return owner


@contextmanager
def _kept(file, owner):
    """Renew a claim in the background, and give it up in the end."""
    over = threading.Event()

    def renew():
        while not over.wait(RENEWAL):
            _renew(file, owner)

    heart = threading.Thread(target=renew, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()
        if _owner(file) == owner:  # or somebody has taken it over
            file.unlink(missing_ok=True)


def _renew(file, owner):
    with suppress(OSError):  # as when a server is away for a while
        if _owner(file) == owner:
            os.utime(file)


def _owner(file):
    """Whose a claim is; None if it does not exist."""
    with suppress(OSError):
        return file.read_text(errors="replace")
    return None


def _take_away_if_abandoned(file):
    try:
        with open(file, errors="replace") as claim:  # opened, as NFS asks its server then
            owner, renewed = claim.read(), os.fstat(claim.fileno()).st_mtime
    except OSError:
        return
    if not _is_dead(owner) and _time_of(file.parent) - renewed <= LEASE:
        return
    aside = file.with_name(f"{file.name}-{secrets.token_hex(6)}")
    with suppress(OSError):  # somebody else was first
        os.rename(file, aside)
        if _owner(aside) == owner:
            aside.unlink()
        else:  # it was taken over just before, and this is the new owner's
            os.rename(aside, file)


def _is_dead(owner):
    """Whether a claim is that of a process of this machine that lives no more."""
    where, _, rest = owner.partition(" ")
    number = rest.partition(" ")[0]
    return where == machine() and number.isdecimal() and not lives(int(number))


def lives(process):
    """Whether a process of this machine is there, and has not ended."""
    if os.name == "nt":  # where the question would end it
        return True
    with suppress(OSError, IndexError):  # Linux: one that has ended is there until its parent has asked how
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True


def _time_of(folder):
    """The time by the clock that a folder's files have theirs from."""
    probe = folder / f".{secrets.token_hex(8)}{ENDING}"
    with open(probe, "x") as file:
        moment = os.fstat(file.fileno()).st_mtime
    probe.unlink(missing_ok=True)
    return moment
