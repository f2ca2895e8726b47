"""Dropout for a processor: which units stay is drawn sixteen bits at a time, and the rest is masked by bit operations.

PyTorch draws a mask on a processor with one Bernoulli trial a unit, which took a quarter of a training step;
`perf/LOG.md` has the figures. The seed of each mask comes from PyTorch's own stream, so that whoever seeds, forks or
restores that stream (the loop for each step, gradient checkpointing for its second pass) has the same masks again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LEVELS = 2**15
"""A unit stays with a probability that is a multiple of 1 / LEVELS."""


def kept(shape: torch.Size, *, dropout: float) -> Tensor:
    """Draw which units stay: -1 (all bits set) where one does, 0 where it does not, in int16."""
    units = shape.numel()
    seed = int(torch.randint(2**62, ()).item())
    drawn = np.random.SFC64(seed).random_raw((units + 3) // 4).view(np.int16)[:units]
    bits = torch.from_numpy(drawn).view(shape)
    # The sign of (fifteen bits - threshold), spread over all sixteen.
    return bits.bitwise_and_(LEVELS - 1).sub_(round((1 - dropout) * LEVELS)).bitwise_right_shift_(15)


def masked(values: Tensor, stays: Tensor | None) -> Tensor:
    """Return `values` with 0 where a unit does not stay; all stay when there is no mask."""
    if stays is None:
        return values
    if values.element_size() == 2:
        return values.view(torch.int16).bitwise_and(stays).view(values.dtype)
    return stays.to(values.dtype).neg_().mul_(values)


def dropped(values: Tensor, stays: Tensor, *, dropout: float) -> Tensor:
    """Return `values` with 0 where a unit does not stay, and the others divided by the share that does."""
    return masked(values, stays).mul_(1 / (1 - dropout))


class _Dropped(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, values: Tensor, dropout: float) -> Tensor:
        stays = kept(values.shape, dropout=dropout)
        context.save_for_backward(stays)
        context.dropout = dropout
        return dropped(values.contiguous(), stays, dropout=dropout)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient], [stays] = gradients, context.saved_tensors
        return dropped(gradient.contiguous(), stays, dropout=context.dropout), None


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` on a processor (Srivastava et al. 2014), with masks that are cheap to draw."""

    def forward(self, values: Tensor) -> Tensor:
        """Drop units while training; any shape."""
        if not self.training or self.p == 0 or values.device.type != "cpu":
            return super().forward(values)
        return _Dropped.apply(values, self.p)  # type: ignore[no-any-return, no-untyped-call]


def cheapen(module: nn.Module) -> None:
    """Put a cheap Dropout in the place of every plain one within `module`."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p))
