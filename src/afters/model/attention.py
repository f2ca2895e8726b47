"""Attention, norms and gated layers as training on a processor wants them: few passes over memory.

A T5 adds a bias that depends on distance to its attention scores, and the bias learns. PyTorch's fused attention has
no fast path for that, so what transformers runs is plain: scores, bias, mask, softmax and their gradients are tensors
of (rows, heads, time, time), several of them in fp32. Here they stay in the precision of the product, are changed in
place, and the bias's gradient is summed over the rows at once. The norms give what they computed in fp32 out in the
precision of the products that follow, which then need not convert it one by one. `perf/LOG.md` has the figures.

A decoder-only model reads the rows of a micro-batch in one line, without padding, and attends within each row alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AttentionInterface
from transformers.activations import NewGELUActivation
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, eager_mask, sdpa_mask
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.t5.modeling_t5 import T5DenseGatedActDense, T5LayerNorm

from afters.model.dropout import kept, masked

BIASED, PACKED = "afters_biased", "afters_packed"

LENGTHS = 32
"""Rows attend at multiples of this length: a product of a new shape is compiled first, which takes longer than it."""

PACKABLE = frozenset({"llama", "qwen2", "qwen3", "mistral", "gemma", "phi", "gpt2"})
"""Decoder-only families that take their positions as they are told, and are tested."""


def lean(module: Any) -> Any:
    """Let a T5 attend and normalise in few passes; what it computes stays the same but for rounding."""
    module.set_attn_implementation(BIASED)
    for part in module.modules():
        if isinstance(part, T5LayerNorm):
            part.forward = MethodType(_normalised, part)
        elif isinstance(part, T5DenseGatedActDense) and isinstance(part.act, NewGELUActivation):
            part.forward = MethodType(_feed, part)
    return module


def packed(module: Any) -> Any:
    """Let a decoder-only model attend within the rows of one line, given their `row_lengths` in its forward."""
    module.set_attn_implementation(PACKED)
    for part in module.modules():
        for name, child in part.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(part, name, nn.GELU(approximate="tanh"))
        if isinstance(part, LlamaRMSNorm | Qwen2RMSNorm | MistralRMSNorm):
            part.forward = MethodType(_normalised, part)
        elif isinstance(part, GemmaRMSNorm):
            part.forward = MethodType(_normalised_by_one_more, part)
    return module


class _Attention(torch.autograd.Function):
    """dropout(softmax(Q K^T + bias + mask)) V, with the probabilities as all that is kept for the gradient."""

    @staticmethod
    def forward(
        context: Any, query: Tensor, key: Tensor, value: Tensor, bias: Tensor | None, mask: Tensor | None, drop: float
    ) -> Tensor:
        scores = torch.matmul(query, key.transpose(2, 3))  # (rows, heads, time, time)
        for added in (bias, mask):
            if added is not None:
                # The lowest number of fp32 would become minus infinity in bf16.
                scores.add_(added.clamp(min=torch.finfo(scores.dtype).min).to(scores.dtype).contiguous())
        probabilities = torch.softmax(scores, dim=-1)
        stays = kept(probabilities.shape, dropout=drop) if drop else None
        context.save_for_backward(query, key, value, probabilities, stays)
        context.drop = drop
        # What dropout divides by, it may divide by where there is less of it.
        return torch.matmul(masked(probabilities, stays), value / (1 - drop) if drop else value)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, probabilities, stays = context.saved_tensors
        gradient = gradients[0] / (1 - context.drop) if context.drop else gradients[0]
        of_value = torch.matmul(masked(probabilities, stays).transpose(2, 3), gradient)
        of_probabilities = masked(torch.matmul(gradient, value.transpose(2, 3)), stays)
        of_scores = torch._softmax_backward_data(of_probabilities, probabilities, -1, probabilities.dtype)
        wide = torch.promote_types(of_scores.dtype, torch.float32)
        of_bias = of_scores.sum(0, keepdim=True, dtype=wide) if context.needs_input_grad[3] else None
        of_query, of_key = torch.matmul(of_scores, key), torch.matmul(of_scores.transpose(2, 3), query)
        return of_query, of_key, of_value, of_bias, None, None


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
    if torch.is_grad_enabled():
        read = _Attention.apply(query, key, value, position_bias, attention_mask, dropout)  # type: ignore[no-untyped-call]
    else:
        added = _with_mask(position_bias, attention_mask, dtype=query.dtype)
        read = functional.scaled_dot_product_attention(query, key, value, added, dropout_p=dropout, scale=1.0)
    return read.transpose(1, 2).contiguous(), None


def _with_mask(bias: Tensor, mask: Tensor | None, *, dtype: torch.dtype) -> Tensor:
    """Return the sum of bias and mask; it is kept with the bias, which all layers of a stack share."""
    if mask is None:
        return bias.to(dtype)
    known: tuple[Tensor, Tensor] | None = getattr(bias, "with_mask", None)
    if known is None or known[0] is not mask:
        # Looked up in a table, the bias lies with its heads last; the kernel would lay out the sum anew in each layer.
        known = (mask, (bias.contiguous() + mask.clamp(min=torch.finfo(dtype).min)).to(dtype))
        bias.with_mask = known  # type: ignore[attr-defined]
    return known[1]


def _attend_packed(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    row_lengths: Sequence[int] | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attend within each row of a line of rows, and never across; without `row_lengths`, as transformers would."""
    if row_lengths is None:
        made = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
        return made[0], None
    # Rotations by position have made them wider than the products want them.
    query, key, value = (one.to(_of_products(one)).contiguous() for one in (query * scaling, key, value))
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    rows = zip(*(torch.split(one, list(row_lengths), dim=2) for one in (query, key, value)), strict=True)
    read = [_within(*row, window=sliding_window, dropout=dropout) for row in rows]
    return torch.cat(read, dim=2).transpose(1, 2).contiguous(), None


def _within(query: Tensor, key: Tensor, value: Tensor, *, window: int | None, dropout: float) -> Tensor:
    """Attend causally within one row, over no more than `window` tokens; (1, heads, time, width)."""
    time = query.shape[2]
    wide = LENGTHS * math.ceil(time / LENGTHS)
    # What is added comes after every token of the row, and so is hidden from all of them.
    query, key, value = (functional.pad(one, (0, 0, 0, wide - time)) for one in (query, key, value))
    window = window if window is not None and window < time else None
    if not dropout and window is None:
        read = functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
    else:
        mask = _causal(wide, window=window, dtype=query.dtype)
        read = _Attention.apply(query, key, value, None, mask, dropout)  # type: ignore[no-untyped-call]
    return read[:, :, :time]


@lru_cache(maxsize=16)
def _causal(time: int, *, window: int | None, dtype: torch.dtype) -> Tensor:
    """Return what hides from each token those after it, and those `window` before it; (time, time)."""
    hidden = torch.ones((time, time), dtype=torch.bool).triu(1)
    if window is not None:
        hidden |= torch.ones_like(hidden).tril(-window)
    return torch.zeros((time, time), dtype=dtype).masked_fill_(hidden, torch.finfo(dtype).min)


class _GatedGelu(torch.autograd.Function):
    """dropout(gelu(gate) * up), with the tanh form of gelu that T5 v1.1 has (Shazeer, arXiv:2002.05202)."""

    @staticmethod
    def forward(context: Any, gate: Tensor, up: Tensor, dropout: float) -> Tensor:
        product = functional.gelu(gate, approximate="tanh").mul_(up)
        stays = kept(product.shape, dropout=dropout) if dropout else None
        context.save_for_backward(gate, up, stays)
        context.dropout = dropout
        return masked(product, stays).mul_(1 / (1 - dropout))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gate, up, stays = context.saved_tensors
        gradient = masked(gradients[0], stays).mul(1 / (1 - context.dropout))
        of_up = functional.gelu(gate, approximate="tanh").mul_(gradient)
        of_gate = torch.ops.aten.gelu_backward(gradient * up, gate, approximate="tanh")
        return of_gate, of_up, None


def _feed(layer: T5DenseGatedActDense, hidden: Tensor) -> Tensor:
    dropout = layer.dropout.p if layer.training else 0.0
    gated = _GatedGelu.apply(layer.wi_0(hidden), layer.wi_1(hidden), dropout)  # type: ignore[no-untyped-call]
    return layer.wo(gated)  # type: ignore[no-any-return]


class _Norm(torch.autograd.Function):
    """x / sqrt(mean(x^2) + epsilon) * weight (Zhang and Sennrich, arXiv:1910.07467), given out in `dtype`."""

    @staticmethod
    def forward(context: Any, values: Tensor, weight: Tensor, epsilon: float, dtype: torch.dtype) -> Tensor:
        values = values.to(torch.promote_types(values.dtype, torch.float32))  # a model that is asked may be in bf16
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


def _normalised(norm: T5LayerNorm | LlamaRMSNorm, hidden: Tensor) -> Tensor:
    return _Norm.apply(hidden, norm.weight, norm.variance_epsilon, _of_products(hidden))  # type: ignore[no-any-return, no-untyped-call]


def _normalised_by_one_more(norm: GemmaRMSNorm, hidden: Tensor) -> Tensor:
    """Gemma's weights say how much more than 1 they are."""
    return _Norm.apply(hidden, 1 + norm.weight.float(), norm.eps, _of_products(hidden))  # type: ignore[no-any-return, no-untyped-call]


def _of_products(hidden: Tensor) -> torch.dtype:
    narrow = torch.is_autocast_enabled(hidden.device.type)
    return torch.get_autocast_dtype(hidden.device.type) if narrow else hidden.dtype


AttentionInterface.register(BIASED, _attend)
AttentionMaskInterface.register(BIASED, eager_mask)
AttentionInterface.register(PACKED, _attend_packed)
AttentionMaskInterface.register(PACKED, sdpa_mask)
