"""Seeds and fingerprints: numbers and short texts that follow from a purpose or a content, and from nothing else.

Standard library alone, for the renderer's environment.
"""

import hashlib
import json


def derived_seed(*purpose):
    """A 63-bit seed that depends on nothing but what the random numbers are for, e.g. (seed, "noise", model, image)."""
    text = "\x1f".join(str(part) for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def fingerprint(content):
    """16 hexadecimal digits that tell any content of JSON's kinds from another."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def described(names):
    """A list of names as people and fingerprints need it: how many there are, and which."""
    return f"{len(names)} ({fingerprint(list(names))})"
