"""One seed, many named streams of chance.

A draw depends on the seed and on the names of what is drawn for, never on how many draws came before it: adding
a stage, a row or a process moves no other stage's chance.
"""

from __future__ import annotations

import hashlib

import numpy as np


def number(seed: int, *names: str | int) -> int:
    """Return the 63-bit number that belongs to `names` under `seed`."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return the generator that belongs to `names` under `seed`.

    >>> stream(7, "order", 0).integers(100) == stream(7, "order", 0).integers(100)
    np.True_
    """
    return np.random.Generator(np.random.Philox(number(seed, *names)))


def fraction(seed: int, *names: str | int) -> float:
    """Return the number in [0, 1) that belongs to `names` under `seed`."""
    return number(seed, *names) / 2**63
