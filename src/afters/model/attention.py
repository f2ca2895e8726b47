"""Attention with a learnt bias, and norms, as training a T5 on a processor wants them: few passes over memory.

A T5 adds a bias that depends on distance to its attention scores, and the bias learns. PyTorch's fused attention has
no fast path for that, so what transformers runs is plain: scores, bias, mask, softmax and their gradients are tensors
of (rows, heads, time, time), several of them in fp32. Here they stay in the precision of the product, are changed in
place, and the bias's gradient is summed over the rows at once. The norms give what they computed in fp32 out in the
precision of the products that follow, which then need not convert it one by one. `perf/LOG.md` has the figures.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, eager_mask
from transformers.models.t5.modeling_t5 import T5LayerNorm

NAME = "afters_biased"


def lean(module: Any) -> Any:
    """Let a T5 attend and normalise in few passes; what it computes stays the same but for rounding."""
    module.set_attn_implementation(NAME)
    for part in module.modules():
        if isinstance(part, T5LayerNorm):
            part.forward = MethodType(_normalised, part)
    return module


class _Biased(torch.autograd.Function):
    """softmax(Q K^T + bias + mask) V, with the probabilities as all that is kept for the gradient."""

    @staticmethod
    def forward(
        context: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor, mask: Tensor | None, dropout: float
    ) -> Tensor:
        scores = torch.matmul(query, key.transpose(2, 3))  # (rows, heads, time, time)
        scores.add_(bias.to(scores.dtype))
        if mask is not None:
            # The lowest number of fp32 would become minus infinity in bf16.
            scores.add_(mask.clamp(min=torch.finfo(scores.dtype).min).to(scores.dtype))
        probabilities = torch.softmax(scores, dim=-1)
        kept = torch.empty_like(probabilities, dtype=torch.bool).bernoulli_(1 - dropout) if dropout else None
        context.save_for_backward(query, key, value, probabilities, kept)
        context.dropout = dropout
        return torch.matmul(_dropped(probabilities, kept, dropout), value)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, probabilities, kept = context.saved_tensors
        [gradient] = gradients
        of_value = torch.matmul(_dropped(probabilities, kept, context.dropout).transpose(2, 3), gradient)
        of_probabilities = _dropped(torch.matmul(gradient, value.transpose(2, 3)), kept, context.dropout)
        of_scores = torch._softmax_backward_data(of_probabilities, probabilities, -1, probabilities.dtype)
        wide = torch.promote_types(of_scores.dtype, torch.float32)
        of_bias = of_scores.sum(0, keepdim=True, dtype=wide) if context.needs_input_grad[3] else None
        return (
            torch.matmul(of_scores, key),
            torch.matmul(of_scores.transpose(2, 3), query),
            of_value,
            of_bias,
            None,
            None,
        )


def _dropped(values: Tensor, kept: Tensor | None, dropout: float) -> Tensor:
    return values if kept is None else values * kept / (1 - dropout)


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    position_bias: Tensor,
    scaling: float = 1.0,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, None]:
    assert scaling == 1.0, "a T5 does not scale its scores"
    read = _Biased.apply(query, key, value, position_bias, attention_mask, dropout)  # type: ignore[no-untyped-call]
    return read.transpose(1, 2).contiguous(), None


class _Norm(torch.autograd.Function):
    """x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, arXiv:1910.07467), given out in `dtype`."""

    @staticmethod
    def forward(context: Any, values: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        length = torch.linalg.vector_norm(values, dim=-1, keepdim=True)
        scale = torch.rsqrt(length.square() / values.shape[-1] + epsilon)
        normal = values * scale
        context.save_for_backward(normal, scale, weight)
        return (normal * weight).to(dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        normal, scale, weight = context.saved_tensors
        [gradient] = gradients
        of_weight = (gradient * normal).flatten(0, -2).sum(0)
        of_normal = gradient * weight
        inward = (of_normal * normal).mean(-1, keepdim=True)
        return (of_normal - normal * inward) * scale, of_weight, None, None


def _normalised(norm: T5LayerNorm, hidden: Tensor) -> Tensor:
    narrow = torch.is_autocast_enabled(hidden.device.type)
    dtype = torch.get_autocast_dtype(hidden.device.type) if narrow else hidden.dtype
    return _Norm.apply(hidden, norm.weight, norm.variance_epsilon, dtype)  # type: ignore[no-any-return, no-untyped-call]


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, eager_mask)
