"""Network: what training and answering ask of an architecture; encoder-decoder and decoder-only answer it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

Ids = Sequence[int]


class Pair(NamedTuple):
    """A prompt and an answer, as token ids."""

    prompt: Ids
    answer: Ids


class Network(Protocol):
    """A transformers model under one roof with its kind."""

    module: nn.Module
    pad: int

    def token_losses(self, pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order.

        With label smoothing, that share of each target is spread over the vocabulary.
        """
        ...

    def greedy(self, prompts: Sequence[Ids], *, max_new_tokens: int, ends: Sequence[int]) -> list[list[int]]:
        """Return each prompt's most probable continuation, token by token, with the end token where it came."""
        ...


def padded(rows: Sequence[Ids], *, pad: int, device: torch.device, left: bool = False) -> tuple[Tensor, Tensor]:
    """Return ids and mask, both (rows, longest), padded on the right or the left."""
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    mask = torch.zeros((len(rows), longest), dtype=torch.long)
    for index, row in enumerate(rows):
        place = slice(longest - len(row), None) if left else slice(0, len(row))
        ids[index, place] = torch.as_tensor(row, dtype=torch.long)
        mask[index, place] = 1
    return ids.to(device), mask.to(device)


class Unfinished:
    """Rows of a batch that still write: which they are, and what they have written."""

    def __init__(self, rows: int, *, ends: Sequence[int], device: torch.device) -> None:
        self.written: list[list[int]] = [[] for _ in range(rows)]
        self._rows = list(range(rows))
        self._finished = [False] * rows
        self._ends = frozenset(ends)
        self._device = device

    def take(self, tokens: Tensor) -> None:
        """Note the next token of every row still in the batch; (rows in the batch,)."""
        for row, token in zip(self._rows, tokens.tolist(), strict=True):
            if not self._finished[row]:
                self.written[row].append(token)
                self._finished[row] = token in self._ends

    def all_finished(self) -> bool:
        """Tell whether nobody writes any more."""
        return all(self._finished)

    def keep(self) -> Tensor | None:
        """Return the places of the rows to go on with when a quarter of the batch has finished; None: go on."""
        places = [place for place, row in enumerate(self._rows) if not self._finished[row]]
        if len(places) > 0.75 * len(self._rows):
            return None
        self._rows = [self._rows[place] for place in places]
        return torch.tensor(places, device=self._device)
