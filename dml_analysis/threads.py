"""The number of torch's threads.

Batches pass through a network one after the other, never two at once, as a module may store
something between two of its layers. torch spreads each batch over its threads.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Restore torch's number of threads at the end, which compiled code may have changed."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else None
    try:
        yield
    finally:
        if torch and torch.get_num_threads() != before:
            torch.set_num_threads(before)


@contextmanager
def one() -> Iterator[None]:
    """Let torch use one thread."""
    import torch

    with kept():
        torch.set_num_threads(1)
        yield
