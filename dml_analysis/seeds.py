"""Seeds and digests that depend on a purpose or a content, and on nothing else.

Standard library only, for the renderer's environment.
"""

import hashlib
import json
from collections.abc import Sequence


def derived_seed(*purpose: object) -> int:
    """Return a 63-bit seed for a purpose, e.g. (seed, "noise", model, image).

    The seed depends only on the purpose, in which every part counts as its text.
    """
    text = "\x1f".join(str(part) for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def digest(content: object) -> str:
    """Return a digest of 16 hexadecimal digits of content that JSON can represent."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def described(names: Sequence[str | int]) -> str:
    """Return the number of names and their digest, as text."""
    return f"{len(names)} ({digest(list(names))})"
