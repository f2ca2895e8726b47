"""The LM head, computed only where it is asked for, and never for all places at once.

Most positions of a batch carry no label, and the head is most of a small model's arithmetic. Hooks in front of the
head keep only the chosen rows, so every architecture's own forward still runs.

For losses, the chosen rows are scored a few at a time, and their gradients are computed in the same pass: logits of
all rows never exist together, neither the network's nor those of another that it is held to. What an architecture does
after its head (a bias, a soft cap) is known for those that do something; whether that is all is tried once for every
model, on two tokens, and one that does more is scored whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Expected:
    """What a network expects at some places: distributions over the vocabulary, computed where they are asked for."""

    _hidden: Tensor
    """(kept, width); where the head cannot be told apart, logits."""
    _logits: Callable[[Tensor], Tensor]

    def divergences(self, logits: Tensor, rows: slice) -> Tensor:
        """Return the forward KL divergence to the distributions of `logits` at these places, in nats, (rows,).

        That is the cross-entropy less the entropy of what is expected: `kl_div` would hold twice as much.
        """
        with torch.no_grad():
            told = functional.log_softmax(_wide(self._logits(self._hidden[rows])), dim=-1)
            expected = told.exp()
            certainty = torch.einsum("rv,rv->r", expected, told)
            del told
        return certainty + functional.cross_entropy(_wide(logits), expected, reduction="none")


Costs = Callable[[Tensor, slice], Tensor]
"""Makes of the logits of some of the chosen rows, and which they are, what each costs."""

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

    def costs(logits: Tensor, rows: slice) -> Tensor:
        return functional.cross_entropy(_wide(logits), tokens[rows], reduction="none", label_smoothing=smoothing)

    return _costs_at(network, keep, costs, inputs)


def divergences_at(network: Any, keep: Tensor, expected: Expected, **inputs: Any) -> Tensor:
    """Return the forward KL divergence from what another expects at each place in nats, (kept,), in fp32 at least."""
    return _costs_at(network, keep, expected.divergences, inputs)


@torch.no_grad()
def expected_at(network: Any, keep: Tensor, **inputs: Any) -> Expected:
    """Return what `network` expects at the places `keep`, for `divergences_at`; nothing is learnt from it."""
    head, found = _last(network, keep, inputs)
    return Expected(found, head or (lambda logits: logits))


def _costs_at(network: Any, keep: Tensor, costs: Costs, inputs: Mapping[str, Any]) -> Tensor:
    head, found = _last(network, keep, inputs)
    if head is None:
        return costs(found, slice(None))
    if not torch.is_grad_enabled():
        return torch.cat([costs(head(found[rows]), rows) for rows in _parts(found, head)])
    learning = [weight for weight in head.layer.parameters() if weight.requires_grad]
    losses: Tensor = _Losses.apply(found, costs, head, *learning)  # type: ignore[no-untyped-call]
    return losses


def _last(network: Any, keep: Tensor, inputs: Mapping[str, Any]) -> tuple[_Head | None, Tensor]:
    """Return the head and the last hidden states at the chosen rows, (kept, width); or None and their logits."""
    head = _Head.of(network)
    if network not in _is_all:
        _is_all[network] = _tried(network, head)
    if not _is_all[network]:
        with head_only_at(network, keep):
            return None, network(**inputs).logits
    rows, told = _flat(keep), list[Tensor]()

    def catch(hidden: Tensor) -> Tensor:
        flat = hidden.reshape(-1, hidden.shape[-1])
        told.append(flat.index_select(0, rows))
        return flat[:0]

    with _before_head(network, catch):
        network(**inputs)
    [hidden] = told
    return head, hidden


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
    def forward(context: Any, hidden: Tensor, costs: Costs, head: _Head, *learning: Tensor) -> Tensor:
        context.again = (costs, head, learning)
        context.hidden = hidden.detach()
        losses, *context.gradients = _with_gradients(context.hidden, costs, head, learning, None)
        return losses

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [weights] = gradients
        if bool((weights == weights[0]).all()):
            made = [weights[0] * one for one in context.gradients]
        else:
            costs, head, learning = context.again
            _, *made = _with_gradients(context.hidden, costs, head, learning, weights)
        return made[0], None, None, *made[1:]


def _with_gradients(
    hidden: Tensor, costs: Costs, head: _Head, learning: Sequence[Tensor], weights: Tensor | None
) -> list[Tensor]:
    """Return the losses, and the gradients of their weighted sum for `hidden` and for each of `learning`."""
    losses, of_hidden, sums = [], [], [torch.zeros_like(weight) for weight in learning]
    for rows in _parts(hidden, head):
        with torch.enable_grad():
            part = hidden[rows].detach().requires_grad_()
            cost = costs(head(part), rows)
            total = cost.sum() if weights is None else (cost * weights[rows]).sum()
        of_rows, *of_learning = torch.autograd.grad(total, [part, *learning])
        losses.append(cost.detach())
        of_hidden.append(of_rows)
        for kept, new in zip(sums, of_learning, strict=True):
            kept.add_(new)
    return [torch.cat(losses), torch.cat(of_hidden), *sums]


def _parts(hidden: Tensor, head: _Head) -> Iterator[slice]:
    """Yield so many rows at once that their logits are few enough; of no rows, none of them once."""
    at_once = max(1, LOGITS_AT_ONCE // int(head.layer.weight.shape[0]))
    for first in range(0, max(1, len(hidden)), at_once):
        yield slice(first, first + at_once)


def _wide(logits: Tensor) -> Tensor:
    """Return logits in fp32 at least, whatever they are in."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


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
