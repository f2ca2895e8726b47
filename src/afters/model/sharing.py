"""Which prompts begin alike, so that their beginning is read once. Pure functions of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from afters.model.network import Ids

WORTH = 32
"""Tokens: a shorter beginning is read again for each prompt, which is quicker than to share it."""

ENOUGH = 8
"""Prompts: fewer that begin alike are asked among all others, so that batches stay full."""


def shared_beginning(prompts: Sequence[Ids]) -> int:
    """Return how many tokens all prompts begin with, at least one left for each; 0 where it is not worth it."""
    if len(prompts) < 2:
        return 0
    first, last = min(map(tuple, prompts)), max(map(tuple, prompts))
    shared = min(alike(first, last), min(map(len, prompts)) - 1)
    return shared if shared >= WORTH else 0


def alike(one: Ids, other: Ids) -> int:
    """Return how many tokens two prompts begin with that are the same."""
    places = (place for place, (left, right) in enumerate(zip(one, other, strict=False)) if left != right)
    return next(places, min(len(one), len(other)))


def families(prompts: Sequence[Ids]) -> list[list[int]]:
    """Cut prompts into groups that begin alike, for a quarter of their length at least, and the group of the others.

    Groups and their rows keep the order in which they first come.
    """
    order = sorted(range(len(prompts)), key=lambda row: tuple(prompts[row]))
    groups: list[list[int]] = [order[:1]] if order else []
    for row, next_row in pairwise(order):
        shared = alike(prompts[row], prompts[next_row])
        near = shared >= max(WORTH, max(len(prompts[row]), len(prompts[next_row])) / 4)
        groups.append([next_row]) if not near else groups[-1].append(next_row)
    large = [sorted(group) for group in groups if len(group) >= ENOUGH]
    rest = sorted(row for group in groups if len(group) < ENOUGH for row in group)
    return sorted([*large, *([rest] if rest else [])])
