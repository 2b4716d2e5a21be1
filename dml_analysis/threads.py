"""How many threads torch computes with.

Batches pass through a network one after the other, never two at once: a module may keep something between two of its layers, such as
`self.features` or what a forward hook stores. torch spreads each batch over its threads.
"""

import sys
from contextlib import contextmanager


@contextmanager
def kept():
    """Inside it compiled code may set another number of threads for torch, whose threads it shares; then that is set back.

    With another number what comes next would wait for cores that other processes are at.
    """
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        yield
    finally:
        if torch and torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def one():
    """Inside it torch computes with one thread."""
    import torch

    with kept():
        torch.set_num_threads(1)
        yield
