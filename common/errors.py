"""How a script ends: 0, all that it was asked for exists; 1, something is wrong; 3, it is not finished yet.

Standard library alone, for the renderer's environment.
"""

import errno
import sys

UNFINISHED = 3
IN_THE_WAY = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST)  # a file where a folder should be, or a folder for a file


class InputError(Exception):
    """Something the user gave is wrong: the message is one line that names the file or setting and what to do."""


class MissingFile(InputError):
    """A file that the user has to provide does not exist."""


class Unfinished(Exception):
    """Some of what was asked for does not exist yet, though nothing is wrong: the message is one line that says what."""


def run_script(main):
    """Run a script's main(); what it raises of the above ends in one line on stderr instead of a traceback."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
    except Unfinished as error:
        print(f"unfinished: {error}", file=sys.stderr)
        sys.exit(UNFINISHED)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, *IN_THE_WAY):
            raise
        sys.exit(f"error: {error.filename}: {error.strerror}; what is finished is kept")
    except KeyboardInterrupt:
        sys.exit("stopped; what is finished is kept, run the same command to go on")


def check_positive(options, *names):
    """Raise InputError if one of the parsed options is below 1; None passes."""
    for name in names:
        value = getattr(options, name)
        if value is not None and value < 1:
            raise InputError(f"--{name} {value}: must be at least 1")
