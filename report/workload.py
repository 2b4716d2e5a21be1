"""What a script has yet to do: said before it begins, and held against the disk's free space."""

import shutil
from typing import NamedTuple

from utils import InputError


class Workload(NamedTuple):
    what: str  # e.g. "saliency maps"
    networks: int  # of a loss, dataset and fold each
    images: int
    count: int  # of what there is to make
    unit: str  # the name of one of them
    disk: int  # bytes that it will take
    hint: str = ""  # what to do where the disk is too small for it


def describe(work, folder, seconds=None, where=""):
    """Lines that tell how much there is to do; `seconds` is what one unit took, `where` the device it was timed on."""
    lines = [
        f"{work.what}: {work.networks:,} networks, {work.images:,} images, {work.count:,} {work.unit}s to do",
        f"disk: {work.disk / 1e9:,.1f} GB in {folder} ({free_space(folder) / 1e9:,.1f} GB free)",
    ]
    if seconds is not None:
        hours = work.count * seconds / 3600
        lines.append(f"time: {hours:,.2f} hours, at {seconds:.3g} s a {work.unit} (timed just now, {where})")
    return "\n".join(lines)


def check_room(work, folder):
    """Raise InputError if the disk has less space than the results will take."""
    free = free_space(folder)
    if work.disk > free:
        raise InputError(
            f"{folder}: the {work.what} to come take {work.disk / 1e9:,.1f} GB, but only {free / 1e9:,.1f} GB are free "
            f"there; make room, or set another `results` in the paths of the settings{work.hint}"
        )


def free_space(folder):
    """Bytes free where the folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
