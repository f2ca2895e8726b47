"""Rows into batches of similar length under a token budget. Pure functions of the lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Lengths(NamedTuple):
    """How many tokens a row reads and how many it writes."""

    prompt: int
    answer: int


def by_budget(lengths: Sequence[Lengths], *, tokens: int) -> list[list[int]]:
    """Cut rows into batches, longest first, such that a padded batch holds at most `tokens` tokens.

    A row longer than the budget gets a batch of its own. Rows of equal length keep their order, so that the
    batches are a function of `lengths` and `tokens` alone.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row].prompt, -lengths[row].answer, row))
    batches: list[list[int]] = []
    batch: list[int] = []
    widest = Lengths(0, 0)
    for row in order:
        wider = Lengths(max(widest.prompt, lengths[row].prompt), max(widest.answer, lengths[row].answer))
        if batch and (len(batch) + 1) * sum(wider) > tokens:
            batches.append(batch)
            batch, wider = [], lengths[row]
        batch.append(row)
        widest = wider
    return [*batches, batch] if batch else batches
