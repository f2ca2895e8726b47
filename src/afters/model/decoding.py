"""How answers are written, token by token: the most probable one, beam search, or drawn by chance.

Rows that have ended leave the batch. Whatever the method, a row's answer is a function of its prompt, not of the rows
beside it; only rounding can tell, and in fp32 it hardly ever does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from afters.model.head import LOGITS_AT_ONCE
from afters.model.network import Begun, Ids, Network, begin

Over = Callable[[Ids], bool]
"""Whether an answer has ended, for another reason than the token that ends it."""

Choose = Callable[[Tensor, Sequence[int]], Tensor]
"""Picks each row's next token, (rows,), from logits, (rows, vocabulary), and the numbers of the rows."""


def never(ids: Ids) -> bool:
    """End no answer before its end."""
    return False


@torch.inference_mode()
def greedy(
    network: Network, prompts: Sequence[Ids], *, max_new_tokens: int, ends: Sequence[int], over: Over = never
) -> list[list[int]]:
    """Return each prompt's most probable continuation, token by token, with the end token where it came."""
    return _written(begin(network, prompts), len(prompts), _likeliest, max_new_tokens, ends, over)


@torch.inference_mode()
def sampled(
    network: Network,
    prompts: Sequence[Ids],
    *,
    chances: Sequence[Sequence[np.random.Generator]],
    max_new_tokens: int,
    ends: Sequence[int],
    temperature: float,
    top_p: float,
    over: Over = never,
) -> list[list[list[int]]]:
    """Return for each prompt as many answers as it has generators, drawn token by token.

    Args:
        network: who writes.
        prompts: token ids.
        chances: a generator for each answer; each token takes one number from it.
        max_new_tokens: an answer ends here at the latest.
        ends: tokens that end an answer.
        temperature: what logits are divided by.
        top_p: only the fewest tokens that hold this share of the probability are drawn (Holtzman et al. 2020,
            arXiv:1904.09751).
        over: ends an answer before.
    """
    owners = [row for row, drawn in enumerate(chances) for _ in drawn]
    draws = [chance for drawn in chances for chance in drawn]

    def draw(logits: Tensor, rows: Sequence[int]) -> Tensor:
        points = torch.tensor([draws[row].random() for row in rows], dtype=torch.double, device=logits.device)
        few = max(1, LOGITS_AT_ONCE // logits.shape[-1])
        parts = zip(torch.split(points, few), torch.split(logits, few), strict=True)
        told = [_at(at, torch.softmax(part.double() / temperature, dim=-1), top_p=top_p) for at, part in parts]
        return torch.cat(told)

    begun = begin(network, prompts)
    begun.keep(torch.tensor(owners, device=begun.logits.device))
    made = iter(_written(begun, len(owners), draw, max_new_tokens, ends, over))
    return [[next(made) for _ in drawn] for drawn in chances]


def _likeliest(logits: Tensor, rows: Sequence[int]) -> Tensor:
    return logits.argmax(dim=-1)


def _at(points: Tensor, probabilities: Tensor, *, top_p: float) -> Tensor:
    """Return the token at each point of its row's cumulated probability, (rows,), the likeliest tokens first."""
    if top_p == 1:
        places = torch.searchsorted(probabilities.cumsum(-1), points[:, None], right=True)
        return places.clamp(max=probabilities.shape[-1] - 1)[:, 0]
    likely, tokens = probabilities.sort(dim=-1, descending=True)
    sums = likely.cumsum(-1)
    likely[sums - likely >= top_p] = 0
    sums = likely.cumsum(-1)
    places = torch.searchsorted(sums, points[:, None] * sums[:, -1:], right=True)
    return tokens.gather(1, places.clamp(max=tokens.shape[-1] - 1))[:, 0]


def _written(
    begun: Begun, rows: int, choose: Choose, max_new_tokens: int, ends: Sequence[int], over: Over
) -> list[list[int]]:
    written: list[list[int]] = [[] for _ in range(rows)]
    left = list(range(rows))  # the rows of the batch
    finished: set[int] = set()
    for length in range(1, max_new_tokens + 1):
        tokens = choose(begun.logits, left)
        for row, token in zip(left, tokens.tolist(), strict=True):
            if row not in finished:
                written[row].append(token)
                if token in ends or over(written[row]):
                    finished.add(row)
        if len(finished) == rows or length == max_new_tokens:
            break
        places = [place for place, row in enumerate(left) if row not in finished]
        if len(places) <= 0.75 * len(left):
            going = torch.tensor(places, device=tokens.device)
            begun.keep(going)
            left, tokens = [left[place] for place in places], tokens[going]
        begun.write(tokens)
    return written


class _Beam(NamedTuple):
    """A beginning that is followed."""

    score: float
    """The sum of its tokens' log-probabilities."""
    ids: tuple[int, ...]


class _Search:
    """The beams of one prompt, and the best answers so far."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.running: list[_Beam] = [_Beam(0.0, ())]
        self.finished: list[tuple[float, tuple[int, ...]]] = []

    def go_on(self, found: Sequence[tuple[float, int, int]], over: Callable[[tuple[int, ...]], bool]) -> list[int]:
        """Take the best continuations (score, beam, token), best first; return the beams that the new ones continue."""
        parents, running = list[int](), list[_Beam]()
        for rank, (score, beam, token) in enumerate(found):
            ids = (*self.running[beam].ids, token)
            if over(ids):
                if rank < self.width:
                    self.finished.append((score / len(ids), ids))
            elif len(running) < self.width:
                parents.append(beam)
                running.append(_Beam(score, ids))
        self.finished = sorted(self.finished, key=lambda one: -one[0])[: self.width]
        self.running = running
        return parents

    @property
    def done(self) -> bool:
        """Whether no beam can become better than what is finished, if it does not grow better than it is."""
        if len(self.finished) < self.width:
            return not self.running
        return not self.running or self.running[0].score / len(self.running[0].ids) <= self.finished[-1][0]


@torch.inference_mode()
def beams(
    network: Network,
    prompts: Sequence[Ids],
    *,
    width: int,
    max_new_tokens: int,
    ends: Sequence[int],
    over: Over = never,
) -> list[list[int]]:
    """Return each prompt's best continuation that beam search finds, by mean log-probability of its tokens.

    As transformers searches with `num_beams` alone: 2 * width candidates a step (more where several tokens end an
    answer), a length penalty of 1, and an end as soon as the best beam is no better than the worst finished one.
    """

    def is_over(ids: tuple[int, ...]) -> bool:
        return ids[-1] in ends or len(ids) == max_new_tokens or over(ids)

    searches = [_Search(width) for _ in prompts]
    left, begun = list(searches), begin(network, prompts)
    while left:
        widths = [len(search.running) for search in left]
        told = torch.log_softmax(begun.logits.float(), dim=-1)
        found = _best(told, left, count=max(2, 1 + len(ends)) * width)
        firsts = np.concatenate([[0], np.cumsum(widths)]).tolist()
        kept, goes_on = list[int](), list[_Search]()
        for search, first, candidates in zip(left, firsts, found, strict=False):
            parents = search.go_on(candidates, is_over)
            if not search.done:
                kept += [first + beam for beam in parents]
                goes_on.append(search)
        left = goes_on
        if left:
            begun.keep(torch.tensor(kept, device=told.device))
            tokens = [beam.ids[-1] for search in left for beam in search.running]
            begun.write(torch.tensor(tokens, device=told.device))
    return [list(search.finished[0][1]) for search in searches]


def _best(told: Tensor, searches: Sequence[_Search], *, count: int) -> list[list[tuple[float, int, int]]]:
    """Return each search's best continuations as (score, beam, token), best first; `told` is (beams, vocabulary)."""
    vocabulary = told.shape[-1]
    scores = torch.tensor([beam.score for search in searches for beam in search.running], device=told.device)
    parts = torch.split(told + scores[:, None], [len(search.running) for search in searches])
    made = []
    for part in parts:
        best = part.flatten().topk(min(count, part.numel()))
        places = best.indices.tolist()
        scored = zip(best.values.tolist(), places, strict=True)
        made.append([(score, *divmod(place, vocabulary)) for score, place in scored])
    return made
