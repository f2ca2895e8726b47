"""How probable answers are: each prompt is read once, and shared by its choices."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from afters.model.head import LOGITS_AT_ONCE
from afters.model.network import Ids, Network, begin, forked

FULL = 32
"""Choices: fewer are read together, however much their lengths differ."""


def log_likelihoods(network: Network, prompts: Sequence[Ids], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
    """Return the log-probability in nats of each choice after its prompt; of an empty one 0.

    First tokens are told by the pass over the prompts, so choices of one token cost no more than that. Where prompts
    are many and short, so many are read at once that the logits of their ends are no more than training has.
    """
    vocabulary = network.module.get_output_embeddings().weight.shape[0]  # type: ignore[operator]
    most = max(1, LOGITS_AT_ONCE // int(vocabulary))
    return [
        told
        for first in range(0, len(prompts), most)
        for told in _told(network, prompts[first : first + most], choices[first : first + most])
    ]


@torch.inference_mode()
def _told(network: Network, prompts: Sequence[Ids], choices: Sequence[Sequence[Ids]]) -> list[list[float]]:
    begun = begin(network, prompts)
    first = torch.log_softmax(begun.logits.to(torch.promote_types(begun.logits.dtype, torch.float32)), dim=-1)
    asked = [(row, choice) for row, texts in enumerate(choices) for choice in texts if choice]
    rows, tokens = [row for row, _ in asked], [choice[0] for _, choice in asked]
    sums = first[rows, tokens].double()
    for longer in _of_similar_length([len(choice) for _, choice in asked]):
        going = forked(begun, torch.tensor([rows[place] for place in longer], device=first.device))
        losses = going.losses([asked[place][1] for place in longer])
        parts = torch.split(losses.double(), [len(asked[place][1]) - 1 for place in longer])
        sums[longer] -= torch.stack([part.sum() for part in parts])
    told = iter(sums.tolist())
    return [[next(told) if choice else 0.0 for choice in texts] for texts in choices]


def _of_similar_length(lengths: Sequence[int]) -> list[list[int]]:
    """Return the places of what is longer than a token, longest first, cut so that little of a batch is padding."""
    groups: list[list[int]] = []
    longer = [place for place, length in enumerate(lengths) if length > 1]
    for place in sorted(longer, key=lambda place: -lengths[place]):
        if groups and (len(groups[-1]) < FULL or lengths[place] > 0.7 * lengths[groups[-1][0]]):
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
