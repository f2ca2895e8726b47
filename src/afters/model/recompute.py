"""Gradient checkpointing: layers forget what is inside them, and compute it again when the gradient is due."""

from __future__ import annotations

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from afters.errors import SettingsError


def recompute(module: nn.Module) -> None:
    """Let every layer of `module` keep only its input while it learns (Chen et al. 2016, arXiv:1604.06174).

    Dropout falls on the same units again, so the gradients are the same; a step takes about a third longer. What
    transformers' own switch does beside, asking the embeddings for a gradient, only PyTorch's older way needs.
    """
    layers = [part for part in module.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not layers:
        raise SettingsError(
            f"no layer of {type(module).__name__} can be computed again",
            where="[train] gradient_checkpointing",
            hint="Set it to false, and token_budget lower, for less memory.",
        )
    for layer in layers:
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)
