"""Seeds and choices that follow from names, so that they are the same on every machine and in every run."""

import hashlib


def stable_hash(text: str) -> int:
    """A 63-bit number of a text, the same everywhere."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
