"""Several processes at one script: started by torchrun, by a job array (cluster.py), or by hand.

All of them run the same command and share its chunks by leases, so there is nothing to hand out,
and what they make is the same however many they are. torchrun's variables RANK, WORLD_SIZE and
LOCAL_RANK only say where a process begins, and which GPU it takes.
"""

import os
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def place() -> tuple[int, int]:
    """Return (rank, how many): which worker of how many this process is; (0, 1) if it is alone."""
    with suppress(KeyError, ValueError):
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        if 0 <= rank < count:
            return rank, count
    return 0, 1


def local_rank() -> int:
    """Return which GPU of its machine a worker takes, of those that it may see."""
    number = os.environ.get("LOCAL_RANK", "")
    return int(number) if number.isdecimal() else 0


def environment(rank: int, count: int) -> dict[str, str]:
    """Return the environment variables of a worker that sees its own GPU only."""
    return {"RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_RANK": "0"}


def own_share_first(todo: list[T]) -> list[T]:
    """Return the list, begun at this worker's share of it and gone round: so that workers rarely
    meet.
    """
    rank, count = place()
    begin = rank * len(todo) // count
    return todo[begin:] + todo[:begin]
