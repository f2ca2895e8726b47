"""Network: what training and answering ask of an architecture; encoder-decoder and decoder-only answer it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from itertools import chain
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from afters.errors import ModelError
from afters.model.head import Expected, divergences_at, expected_at, losses_at

Ids = Sequence[int]


class Pair(NamedTuple):
    """A prompt and an answer, as token ids."""

    prompt: Ids
    answer: Ids
    task: int = 0
    """Which of several tasks taught together it is of."""
    soft: bool = False
    """Taught is what the base expects at each token of the answer, not the token itself."""


class Network(Protocol):
    """A transformers model under one roof with its kind."""

    module: nn.Module
    pad: int

    @property
    def multiples(self) -> tuple[int, int]:
        """Prompts and answers are padded to multiples of so many tokens while it learns."""
        ...

    def token_losses(self, pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order.

        With label smoothing, that share of each target is spread over the vocabulary.
        """
        ...

    def divergences(self, pairs: Sequence[Pair], expected: Expected) -> Tensor:
        """Return the forward KL divergence from what another expects at every answer token, in order."""
        ...

    def expected(self, pairs: Sequence[Pair]) -> Expected:
        """Return what it expects at every answer token; nothing is learnt from that."""
        ...

    def begin(self, prompts: Sequence[Ids]) -> Begun:
        """Read the prompts, one row each, ready for what follows them."""
        ...


class Learner(ABC):
    """What is asked of answers alike in every kind of network, once it is known what its module is called with."""

    module: Any

    @abstractmethod
    def inputs(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Return where answer tokens are told, (rows, longest), which they are, and what the module is called with."""

    def token_losses(self, pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order."""
        keep, tokens, inputs = self.inputs(pairs)
        return losses_at(self.module, keep, tokens, smoothing=smoothing, **inputs)

    def divergences(self, pairs: Sequence[Pair], expected: Expected) -> Tensor:
        """Return the forward KL divergence from what another expects at every answer token, in order."""
        keep, _, inputs = self.inputs(pairs)
        return divergences_at(self.module, keep, expected, **inputs)

    def expected(self, pairs: Sequence[Pair]) -> Expected:
        """Return what it expects at every answer token."""
        keep, _, inputs = self.inputs(pairs)
        return expected_at(self.module, keep, **inputs)


class Begun(Protocol):
    """Rows of which a network has read a beginning: what it makes of it, and how they go on."""

    logits: Tensor
    """Of each row's next token, (rows, vocabulary)."""
    past: Any
    """The keys and values of what was read, as transformers keeps them."""

    def write(self, tokens: Tensor) -> None:
        """Go on with one token for each row, (rows,)."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may come several times."""
        ...

    def losses(self, answers: Sequence[Ids]) -> Tensor:
        """Return the negative log-likelihood of each row's answer, in order, but for its first token, which is read.

        Nothing may follow: the rows have read their answers then, and padding.
        """
        ...


class NoNumber(ModelError):
    """A model that expects NaN."""


def begin(network: Network, prompts: Sequence[Ids]) -> Begun:
    """Have the network read the prompts.

    Raises:
        NoNumber: what it expects to follow is none.
    """
    begun = network.begin(prompts)
    if torch.isnan(begun.logits).any():
        raise NoNumber(
            "the model computes what is no number (NaN), so its answers would be one and the same",
            expected="a logit for every token of its vocabulary",
            hint="Its weights are damaged, or grew without end while they were taught: load them anew, or teach with a "
            "lower learning_rate.",
        )
    return begun


def forked(begun: Begun, rows: Tensor) -> Begun:
    """Return these rows as a beginning of their own; `begun` stays as it is."""
    other = copy(begun)
    other.past = _copied(begun.past)
    other.keep(rows)
    return other


def _copied(past: Any) -> Any:
    """Return a cache of transformers that shares the tensors of `past`: reading on replaces them, and changes none."""
    other = copy(past)
    if hasattr(past, "cross_attention_cache"):
        other.self_attention_cache = _copied(past.self_attention_cache)
        other.cross_attention_cache = _copied(past.cross_attention_cache)
        other.is_updated = dict(past.is_updated)
    else:
        other.layers = [copy(layer) for layer in past.layers]
    return other


def but_the_first(answers: Sequence[Ids], *, pad: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return what a network reads of answers to tell all tokens but their first: ids and mask, and the tokens told."""
    ids, mask = padded([answer[:-1] for answer in answers], pad=pad, device=device)
    return ids, mask, torch.tensor([token for answer in answers for token in answer[1:]], device=device)


def padded(
    rows: Sequence[Ids], *, pad: int, device: torch.device, left: bool = False, multiple: int = 1
) -> tuple[Tensor, Tensor]:
    """Return ids and mask, both (rows, longest), padded on the right or the left, to a multiple of so many tokens."""
    lengths = np.fromiter(map(len, rows), np.int64, count=len(rows))
    longest = math.ceil(lengths.max() / multiple) * multiple
    places = np.arange(longest)
    told = places >= longest - lengths[:, None] if left else places < lengths[:, None]
    ids = np.full(told.shape, pad, np.int64)
    ids[told] = np.fromiter(chain.from_iterable(rows), np.int64, count=lengths.sum())
    return torch.from_numpy(ids).to(device), torch.from_numpy(told.astype(np.int64)).to(device)
