"""Which rows of a step each process computes: a pure function of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from afters.model.network import Pair


def share_out(pairs: Sequence[Pair], *, processes: int) -> list[list[Pair]]:
    """Cut a step's rows, longest first, into one part for each process, alike in tokens.

    A step of fewer rows than processes leaves some without: they wait for the others, and add nothing.
    """
    if processes == 1:
        return [list(pairs)]
    longest = sorted(pairs, key=lambda pair: -len(pair.prompt) - len(pair.answer))
    lengths = [len(pair.prompt) + len(pair.answer) for pair in longest]
    total = sum(lengths)
    parts: list[list[Pair]] = [[] for _ in range(processes)]
    for pair, length, end in zip(longest, lengths, accumulate(lengths), strict=True):
        middle = end - length / 2
        parts[int(processes * middle / total)].append(pair)
    return parts
