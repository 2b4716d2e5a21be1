"""The outline of a mask, along the edges of its pixels, as a path that a page can draw."""

import numpy as np


def outlines(mask):
    """The closed lines around a mask (h, w) of bool: lists of corners (x, y), x to the right and y down, in pixels.

    Each goes clockwise around what is inside, so that holes go the other way; corners in the middle of a straight line are
    left out.
    """
    following, found = _edges(np.asarray(mask, dtype=bool)), []
    while following:
        corner = start = min(following)
        loop = []
        while not loop or corner != start:
            loop.append(corner)
            after = following[corner].pop()
            if not following[corner]:
                del following[corner]
            corner = after
        found.append(_turns(loop))
    return found


def path(loops):
    """The same as an SVG path."""
    return "".join("M" + "L".join(f"{x} {y}" for x, y in loop) + "Z" for loop in loops)


def _edges(mask):
    """Corner -> the corners that edges of pixels lead to, where a pixel inside has one outside beside it."""
    padded, following = np.pad(mask, 1), {}
    # What is beside a pixel, and where its edge on that side begins and ends if one goes round it clockwise
    sides = [
        ((-1, 0), (0, 0), (1, 0)),
        ((0, 1), (1, 0), (1, 1)),
        ((1, 0), (1, 1), (0, 1)),
        ((0, -1), (0, 1), (0, 0)),
    ]
    for (down, right), begin, end in sides:
        beside = padded[
            1 + down : padded.shape[0] - 1 + down, 1 + right : padded.shape[1] - 1 + right
        ]
        for y, x in np.argwhere(mask & ~beside).tolist():
            following.setdefault((x + begin[0], y + begin[1]), []).append((x + end[0], y + end[1]))
    return following


def _turns(loop):
    """The corners at which a loop turns."""
    before, after = [loop[-1], *loop[:-1]], [*loop[1:], loop[0]]
    return [
        b
        for a, b, c in zip(before, loop, after)
        if not (a[0] == b[0] == c[0] or a[1] == b[1] == c[1])
    ]
