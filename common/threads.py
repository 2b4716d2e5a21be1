"""How many threads this process works with, and that its results do not depend on it.

torch sums up in another order with another number of threads, so that last digits differ. Therefore networks work with one
thread wherever their numbers are kept, and several images, or batches of them, are at work at once.
"""

import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

MOST = 16  # at once; each takes the memory of a batch


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


def at_once():
    """How many items in_order has at work on a CPU; 1 where torch is not at work."""
    torch = sys.modules.get("torch")
    return min(torch.get_num_threads(), MOST) if torch else 1


def in_order(function, items, device="cpu"):
    """Yield function(item) of each of the items, in their order.

    On a CPU as many are at work at once as torch has threads, each with one; on another device one after the other.
    """
    import torch

    count = at_once()
    if torch.device(device).type != "cpu":
        yield from map(function, items)
        return
    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > count:  # so that no more items than that are in memory
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
