"""How a script ends: 0, all that it was asked for exists; 1, something is wrong; 3, it is not finished yet.

And the one door through which every file leaves that is not what it should be. Standard library alone, for the renderer's
environment.
"""

import errno
import os
import sys
from contextlib import contextmanager

UNFINISHED = 3
LONGEST = 300  # characters of a reason in a line
NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")  # as torch puts it


class InputError(Exception):
    """Something the user gave is wrong: the message is one line that names the file or setting and what to do."""


class Unmeasured(InputError):
    """Some of what was asked for cannot be made of what there is; the rest is made, and each has had its line on stderr."""


class MissingFile(InputError):
    """A file that the user has to provide does not exist."""


class Unfinished(Exception):
    """Some of what was asked for does not exist yet, though nothing is wrong: the message is one line that says what."""


class Finished(Exception):
    """All is done that a script was asked for, before its end: as after a dry run."""


@contextmanager
def refused(file, what, hint):
    """The door: all that reading a file raises inside of this leaves as one InputError.

    what: what the file should be, such as "a readable image"; hint: what to do. A file that does not exist is a MissingFile.
    """
    if not os.path.isfile(file):  # also lest a pipe or a device be read for ever
        if not os.path.lexists(file):
            raise MissingFile(f"{file}: missing; {hint}")
        kind = "a folder" if os.path.isdir(file) else "no plain file" if os.path.exists(file) else "a link to nothing"
        raise InputError(f"{file}: not {what} ({kind}); {hint}")
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:  # deleted meanwhile
        raise MissingFile(f"{file}: missing; {hint}") from None
    except MemoryError as error:
        raise InputError(f"{file}: takes more memory than there is ({one_line(error)})") from None
    except Exception as error:  # libraries raise dozens of kinds for broken files
        raise InputError(f"{file}: not {what} ({one_line(error)}); {hint}") from None


def one_line(error):
    """What an error says, on one line that can be printed anywhere; its kind where it says nothing."""
    text = printable(" ".join(line.strip() for line in str(error).strip().splitlines())) or type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."


def printable(text):
    """The text with line breaks and other characters that are none to print written as \\n and the like."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def run_script(main):
    """Run a script's main(); what is wrong with what the user gave ends in one line on stderr instead of a traceback."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the script
            setattr(sys, name, open(os.devnull, "w"))
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")  # where it is ASCII, or a name is not UTF-8
    try:
        main()
        sys.stdout.flush()
    except InputError as error:
        sys.exit(f"error: {printable(str(error))}")
    except Finished:
        sys.stdout.flush()
    except Unfinished as error:
        print(f"unfinished: {printable(str(error))}", file=sys.stderr)
        sys.exit(UNFINISHED)
    except OSError as error:  # of a full disk, a folder that nobody may write into, a file in the place of a folder ...
        if error.filename is None and error.errno in (errno.EPIPE, errno.ENOSPC, errno.EIO):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would try once more
            sys.exit(f"error: what the script prints cannot be written ({error.strerror}); what is finished is kept")
        if error.filename is None:
            raise
        sys.exit(f"error: {printable(str(error.filename))}: {error.strerror}; what is finished is kept")
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and not any(words in str(error) for words in NO_MEMORY):
            raise
        sys.exit(
            f"error: not enough memory ({one_line(error)}); lower the settings' batch_size; what is finished is kept"
        )
    except KeyboardInterrupt:
        sys.exit("stopped; what is finished is kept, run the same command to go on")


def check_range(options, **most):
    """Raise InputError if one of the parsed options is not between 1 and the number given for it; None passes."""
    for name, high in most.items():
        if getattr(options, name) is not None and not 1 <= getattr(options, name) <= high:
            raise InputError(f"--{name} {getattr(options, name)}: must be at least 1 and at most {high}")
