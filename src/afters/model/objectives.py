"""Objectives that need no answer: what stood in the holes of a text, and how a text goes on. Pure functions of ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

HIDDEN_SHARE, MEAN_SPAN = 0.15, 3.0
"""How much of a text is hidden, in spans of how many tokens on average (Raffel et al. 2020, arXiv:1910.10683)."""

Span = tuple[int, int]


class Parts(NamedTuple):
    """What is read of a text, and what is written of it."""

    read: list[int]
    written: list[int]


def holes(length: int, *, chance: np.random.Generator, most: int) -> list[Span]:
    """Return which spans of a text of `length` tokens are hidden, at most `most` of them, with a token between any two.

    All ways to cut the hidden tokens into spans are equally probable, and so are all ways to place these; T5's own are
    the ones of them that begin with a token that stands and end with a hidden one.
    """
    hidden = max(1, round(length * HIDDEN_SHARE))
    standing = length - hidden
    spans = min(max(1, round(hidden / MEAN_SPAN)), standing + 1, most)
    sizes = _cut(hidden, spans, chance=chance)
    # Before the first span and after the last there may be nothing.
    gaps = _cut(standing + 2, spans + 1, chance=chance)
    gaps[0] -= 1
    ends = np.cumsum([gap + size for gap, size in zip(gaps, sizes, strict=False)]).tolist()
    return [(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def with_holes(ids: Sequence[int], spans: Sequence[Span], *, sentinels: Sequence[int]) -> Parts:
    """Put the next sentinel for each span; what is written is each sentinel with what it stands for, and one more.

    >>> with_holes([5, 6, 7, 8, 9], [(1, 3), (4, 5)], sentinels=[90, 91, 92])
    Parts(read=[5, 90, 8, 91], written=[90, 6, 7, 91, 9, 92])
    """
    read: list[int] = []
    written: list[int] = []
    place = 0
    for (start, end), sentinel in zip(spans, sentinels, strict=False):
        read += [*ids[place:start], sentinel]
        written += [sentinel, *ids[start:end]]
        place = end
    return Parts([*read, *ids[place:]], [*written, sentinels[len(spans)]])


def in_two(ids: Sequence[int], *, chance: np.random.Generator) -> Parts:
    """Cut a text where chance says: the first part is read, the rest written (a prefix language model)."""
    place = int(chance.integers(1, len(ids))) if len(ids) > 1 else 0
    return Parts(list(ids[:place]), list(ids[place:]))


def _cut(total: int, parts: int, *, chance: np.random.Generator) -> list[int]:
    """Cut `total` into so many parts of at least one, all ways being equally probable."""
    inner = np.sort(chance.choice(total - 1, size=parts - 1, replace=False) + 1)
    sizes: list[int] = np.diff([0, *inner, total]).tolist()
    return sizes
