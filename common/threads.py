"""How many threads this process works with."""

import sys
from contextlib import contextmanager


@contextmanager
def kept():
    """Inside it compiled code may set another number of threads for torch, whose threads it shares; then that is set back.

    With another number what comes next would round otherwise, and wait for cores that other processes are at.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        yield
    finally:
        if torch and torch.get_num_threads() != before:
            torch.set_num_threads(before)
