"""The LM head, computed only where it is asked for, and never for all places at once.

Most positions of a batch carry no label, and the head is most of a small model's arithmetic. Hooks in front of the
head keep only the chosen rows, so every architecture's own forward still runs.

For losses, the chosen rows are scored a few at a time, and their gradients are computed in the same pass: logits of
all rows never exist together. What an architecture does after its head (a bias, a soft cap) is known for those that
do something; whether that is all is tried once for every model, on two tokens, and one that does more is scored whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional

LOGITS_AT_ONCE = 2**23
"""At 32 MB in fp32; fewer rows at once would add up the gradient of the head's weights more often."""


@dataclass(frozen=True)
class _Head:
    """All that an architecture does from its last hidden states to logits, as far as it is known here."""

    layer: Any
    bias: Tensor | None
    """Added to the logits by BART and its kin."""
    cap: float | None
    """Gemma keeps its logits within this, by a hyperbolic tangent."""

    @classmethod
    def of(cls, network: Any) -> _Head:
        cap = getattr(network.config.get_text_config(decoder=True), "final_logit_softcapping", None)
        return cls(network.get_output_embeddings(), getattr(network, "final_logits_bias", None), cap)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Turn (rows, width) into logits, (rows, vocabulary)."""
        logits: Tensor = self.layer(hidden)
        if self.bias is not None:
            logits = logits + self.bias
        return logits if self.cap is None else self.cap * torch.tanh(logits / self.cap)


_is_all: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()
"""Whether a network does with its last hidden states what its `_Head` does."""


@contextmanager
def head_only_at(network: nn.Module, keep: Tensor) -> Iterator[None]:
    """Within this context `network(...)` returns logits of shape (kept, vocabulary).

    Args:
        network: a transformers model with a language-modelling head.
        keep: flat indices into (batch * time), or a boolean mask of shape (batch, time).
    """
    rows = _flat(keep)

    def select(hidden: Tensor) -> Tensor:
        return hidden.reshape(-1, hidden.shape[-1]).index_select(0, rows)

    with _before_head(network, select):
        yield


def losses_at(network: Any, keep: Tensor, tokens: Tensor, *, smoothing: float = 0.0, **inputs: Any) -> Tensor:
    """Return the negative log-likelihood of each token in nats, (kept,), in fp32 at least.

    Args:
        network: a transformers model with a language-modelling head.
        keep: where the tokens are told, a boolean mask of shape (batch, time).
        tokens: the ids that stand there, (kept,).
        smoothing: label smoothing, the share of a target that is spread over the vocabulary (arXiv:1512.00567).
        inputs: what `network` is called with.
    """
    head = _Head.of(network)
    if network not in _is_all:
        _is_all[network] = _tried(network, head)
    if not _is_all[network]:
        with head_only_at(network, keep):
            return _costs(network(**inputs).logits, tokens, smoothing)
    rows, told = _flat(keep), list[Tensor]()

    def catch(hidden: Tensor) -> Tensor:
        flat = hidden.reshape(-1, hidden.shape[-1])
        told.append(flat.index_select(0, rows))
        return flat[:0]

    with _before_head(network, catch):
        network(**inputs)
    [hidden] = told  # (kept, width)
    if not torch.is_grad_enabled():
        return torch.cat([_costs(head(part), at, smoothing) for part, at in _parts(hidden, tokens, head)])
    learning = [weight for weight in head.layer.parameters() if weight.requires_grad]
    losses: Tensor = _Losses.apply(hidden, tokens, smoothing, head, *learning)  # type: ignore[no-untyped-call]
    return losses


@torch.no_grad()
def _tried(network: Any, head: _Head) -> bool:
    """Tell whether `head` gives the network's own logits: for hidden states of 0, and for far larger ones than usual.

    The first show what is added, the second what bends.
    """
    told: list[Tensor] = []

    def stretch(hidden: Tensor) -> Tensor:
        told.append(hidden * hidden.new_tensor([[[0.0], [100.0]]]))
        return told[-1]

    training, ids = network.training, torch.zeros((1, 2), dtype=torch.long, device=network.device)
    more = {"decoder_input_ids": ids} if network.config.is_encoder_decoder else {}
    network.eval()
    with _before_head(network, stretch):
        own = network(input_ids=ids, use_cache=False, **more).logits
    found = head(told[0])  # not yet training: an adapted head has a dropout of its own
    network.train(training)
    return torch.allclose(own.float(), found.float(), rtol=1e-2, atol=1e-6)


class _Losses(torch.autograd.Function):
    """Losses row by row, with the gradient of their sum already computed: backward most often only scales it."""

    @staticmethod
    def forward(
        context: Any, hidden: Tensor, tokens: Tensor, smoothing: float, head: _Head, *learning: Tensor
    ) -> Tensor:
        context.again = (tokens, smoothing, head, learning)
        context.hidden = hidden.detach()
        losses, *context.gradients = _with_gradients(context.hidden, tokens, smoothing, head, learning, None)
        return losses

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [weights] = gradients
        if bool((weights == weights[0]).all()):
            made = [weights[0] * one for one in context.gradients]
        else:
            tokens, smoothing, head, learning = context.again
            _, *made = _with_gradients(context.hidden, tokens, smoothing, head, learning, weights)
        return made[0], None, None, None, *made[1:]


def _with_gradients(
    hidden: Tensor, tokens: Tensor, smoothing: float, head: _Head, learning: Sequence[Tensor], weights: Tensor | None
) -> list[Tensor]:
    """Return the losses, and the gradients of their weighted sum for `hidden` and for each of `learning`."""
    losses, of_hidden, sums = [], [], [torch.zeros_like(weight) for weight in learning]
    done = 0
    for part, at in _parts(hidden, tokens, head):
        with torch.enable_grad():
            rows = part.detach().requires_grad_()
            costs = _costs(head(rows), at, smoothing)
            total = costs.sum() if weights is None else (costs * weights[done : done + len(at)]).sum()
        of_rows, *of_learning = torch.autograd.grad(total, [rows, *learning])
        losses.append(costs.detach())
        of_hidden.append(of_rows)
        for kept, new in zip(sums, of_learning, strict=True):
            kept.add_(new)
        done += len(at)
    return [torch.cat(losses), torch.cat(of_hidden), *sums]


def _parts(hidden: Tensor, tokens: Tensor, head: _Head) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield so many rows at once that their logits are few enough."""
    vocabulary = head.layer.weight.shape[0]
    rows = max(1, LOGITS_AT_ONCE // int(vocabulary))
    yield from zip(torch.split(hidden, rows), torch.split(tokens, rows), strict=True)


def _costs(logits: Tensor, tokens: Tensor, smoothing: float) -> Tensor:
    """Return each token's negative log-likelihood, in fp32 at least whatever the logits are in."""
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(wide, tokens, reduction="none", label_smoothing=smoothing)


def _flat(keep: Tensor) -> Tensor:
    return keep.flatten().nonzero().squeeze(-1) if keep.dtype == torch.bool else keep


@contextmanager
def _before_head(network: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Within this context the head reads what `change` makes of the hidden states."""

    def hook(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (change(arguments[0]), *arguments[1:])

    handle = network.get_output_embeddings().register_forward_pre_hook(hook)  # type: ignore[operator]
    try:
        yield
    finally:
        handle.remove()
