"""Errors and exit statuses of scripts: 0, all is made; 1, an error; 3, something is unfinished.

Standard library only, for the renderer's environment.
"""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

UNFINISHED = 3
LONGEST = 300  # characters of a reason in a line
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # in torch's errors


class InputError(Exception):
    """An input is wrong. The message is one line: `file or setting: problem; fix`."""


class Unmeasured(InputError):
    """Some requested results cannot be computed; the others are, and stderr has a line for each."""


class MissingFile(InputError):
    """A file that the user has to provide does not exist."""


class Unfinished(Exception):
    """Some requested results do not exist yet, though nothing failed. The message is one line."""


class Finished(Exception):
    """A script has done everything it was asked for before its end, as in a dry run."""


@contextmanager
def refused(file: str | os.PathLike[str], what: str, hint: str) -> Iterator[None]:
    """Raise InputError, with one line, for any error while the file is read inside of it.

    what: what the file should be, such as "a readable image". hint: what to do. A file that does
    not exist raises MissingFile.
    """
    if not os.path.isfile(file):  # reading a pipe or a device could block for ever
        if not os.path.lexists(file):
            raise MissingFile(f"{file}: missing; {hint}")
        kind = "not a regular file" if os.path.exists(file) else "a broken link"
        kind = "a folder" if os.path.isdir(file) else kind
        raise InputError(f"{file}: not {what} ({kind}); {hint}")
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:  # deleted in the meantime
        raise MissingFile(f"{file}: missing; {hint}") from None
    except MemoryError as error:
        raise InputError(
            f"{file}: does not fit in memory ({one_line(error)}); free some memory"
        ) from None
    except Exception as error:  # libraries raise dozens of types for broken files
        raise InputError(f"{file}: not {what} ({one_line(error)}); {hint}") from None


def one_line(error: BaseException) -> str:
    """Return an error's message on one printable line of limited length, or its type if empty."""
    lines = str(error).strip().splitlines()
    text = printable(" ".join(line.strip() for line in lines)) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, of the machine or of its GPU."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY)


def printable(text: str) -> str:
    """Return the text with line breaks and other unprintable characters escaped."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def run_script(main: Callable[[], None]) -> None:
    """Run a script's main(); end with one line on stderr, not a traceback, if an input is wrong."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the parent process closed it
            setattr(sys, name, open(os.devnull, "w"))
        if hasattr(getattr(sys, name), "reconfigure"):
            # For an ASCII terminal, or a file name that is not UTF-8
            getattr(sys, name).reconfigure(errors="backslashreplace")
    try:
        main()
        sys.stdout.flush()
    except InputError as error:
        _flush_or_drop()
        sys.exit(f"error: {printable(str(error))}")
    except Finished:
        sys.stdout.flush()
    except Unfinished as error:
        print(f"unfinished: {printable(str(error))}", file=sys.stderr)
        sys.exit(UNFINISHED)
    except OSError as error:  # a full disk, a folder without write permission, a file as a folder
        if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # no flush at exit
            sys.exit(f"error: cannot write to stdout ({error.strerror}); finished work is saved")
        if error.filename is None:
            raise
        file = printable(str(error.filename))
        sys.exit(f"error: {file}: {error.strerror}; finished work is saved")
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        sys.exit(
            f"error: not enough memory ({one_line(error)}); lower batch_size in the settings; finished work is saved"
        )
    except KeyboardInterrupt:
        sys.exit("stopped; finished work is saved, run the same command again to continue")


def _flush_or_drop() -> None:
    """Flush stdout. If nobody reads it any more, drop the rest, which Python would complain of."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def check_range(options: argparse.Namespace, **maxima: int) -> None:
    """Raise InputError if a parsed option is not from 1 to its maximum; None is allowed."""
    for name, maximum in maxima.items():
        value = getattr(options, name)
        if value is not None and not 1 <= value <= maximum:
            raise InputError(f"--{name} {value}: must be from 1 to {maximum}")
