"""Optimizers: AdamW and Adafactor, their groups and rates, and what they keep as plain tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor
from transformers.optimization import Adafactor

from afters.model.shards import held_as, whole
from afters.train.settings import TrainSettings

SMALLEST_SCALE = 0.03
"""With `scale_parameter`, smaller tensors learn as if of this size (Adafactor: 0.001): what is 0 must begin to move."""


def make_optimizer(weights: Sequence[Tensor], *, settings: TrainSettings) -> torch.optim.Optimizer:
    """Return the optimizer that `settings` name, with weight decay on matrices and none on biases and norms."""
    if settings.optimizer == "adafactor":
        return _adafactor(weights, settings)
    return torch.optim.AdamW(_groups(weights, settings), lr=settings.learning_rate, betas=settings.betas, fused=True)


def set_rate(optimizer: torch.optim.Optimizer, *, share: float, settings: TrainSettings) -> None:
    """Let the next step take this share of the highest learning rate."""
    groups = optimizer.param_groups
    for group, scale in zip(groups, _scales(groups, settings=settings), strict=True):
        group["lr"] = share * settings.learning_rate * scale


@torch.no_grad()
def pull_back(optimizer: torch.optim.Optimizer, beginnings: Mapping[Tensor, Tensor], *, strength: float) -> None:
    """Move each weight towards its beginning, by its rate times `strength` of the way, and no further than there."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.add_(beginnings[weight] - weight, alpha=min(1.0, float(group["lr"]) * strength))


def kept(optimizer: torch.optim.Optimizer, *, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return all that the optimizer keeps of each weight, by "entry.weight"; numbers become tensors of no dimension."""
    return {
        f"{entry}.{name}": torch.as_tensor(value).contiguous()
        for name, weight in weights.items()
        for entry, value in optimizer.state.get(weight, {}).items()
    }


def give_back(
    optimizer: torch.optim.Optimizer, *, weights: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Let the optimizer go on with what it `kept`.

    What was a number comes back as a tensor: Adafactor counts its steps on in either, to the same updates.
    """
    for key, value in tensors.items():
        entry, _, name = key.partition(".")
        optimizer.state[weights[name]][entry] = held_as(weights[name], value)


def _adafactor(weights: Sequence[Tensor], settings: TrainSettings) -> torch.optim.Optimizer:
    """Return Adafactor as T5 was trained with it (Shazeer and Stern 2018, arXiv:1804.04235), of transformers.

    That is: the update times the root mean square of the tensor (at least 0.001), clipped at 1, no first moment, and a
    second moment that decays by 1 - step^-0.8. The relative step of the paper is left out, as in T5's fine-tuning
    (a constant 0.001): the rate is the study's own schedule. torch's Adafactor would cap it at 1 / sqrt(step).
    """
    optimizer: torch.optim.Optimizer = Adafactor(
        _groups(weights, settings),
        lr=settings.learning_rate,
        scale_parameter=True,
        relative_step=False,
        warmup_init=False,
    )
    for weight in weights:
        if isinstance(weight, DTensor):
            optimizer.state[weight] = _nothing_yet(weight)
    return optimizer


def _nothing_yet(weight: Tensor) -> dict[str, Any]:
    """Return what Adafactor begins with, in shards: by itself it would put whole tensors beside them."""
    if weight.ndim > 1:
        means = {"exp_avg_sq_row": weight.shape[:-1], "exp_avg_sq_col": weight.shape[:-2] + weight.shape[-1:]}
    else:
        means = {"exp_avg_sq": weight.shape}
    zeros = {name: held_as(weight, torch.zeros(shape, dtype=weight.dtype)) for name, shape in means.items()}
    return {"step": 0, "RMS": 0, **zeros}


def _groups(weights: Sequence[Tensor], settings: TrainSettings) -> list[dict[str, Any]]:
    """Return a group for matrices and one without decay for biases and norms, or one for every tensor."""
    matrices, rest = [one for one in weights if one.ndim > 1], [one for one in weights if one.ndim <= 1]
    groups = [[one] for one in (*matrices, *rest)] if settings.scale_parameter else [matrices, rest]
    return [
        {"params": group, "weight_decay": settings.weight_decay if group[0].ndim > 1 else 0.0}
        for group in groups
        if group
    ]


@torch.no_grad()
def _scales(groups: Sequence[Mapping[str, Any]], *, settings: TrainSettings) -> list[float]:
    """Return what the rate is multiplied by, for each group (Shazeer and Stern 2018, arXiv:1804.04235, section 8)."""
    if not settings.scale_parameter:
        return [1.0] * len(groups)
    learning = [group["params"][0] for group in groups]
    sizes = [whole(torch.linalg.vector_norm(weight)) / weight.numel() ** 0.5 for weight in learning]
    return [max(SMALLEST_SCALE, size) for size in torch.stack(sizes).tolist()]
