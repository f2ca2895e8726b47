"""How much memory a run will take, told before it starts.

Weights, gradients and moments are counted. What a forward pass keeps for the backward pass is not guessed from the
architecture but looked at: a few passes over a handful of tokens tell what each kind of micro-batch would keep, since
that is a sum of terms in the lengths and in their products. So another attention or another head changes the plan by
itself; only the head, whose logits live for a moment, has a formula of its own, `head_bytes`. A processor holds more
than what lives: `HELD` and `KEPT_BY_LIBRARIES`, measured by perf/memory.py, which is also how they are set anew.

What is not covered: what the process holds before (Python, libraries) and other users of the same device. On Linux a
processor's memory that runs out ends the process without an error that could be met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from afters.model.head import LOGITS_AT_ONCE
from afters.model.load import Precision
from afters.model.network import Network, Pair
from afters.train.lessons import Lessons, heaviest
from afters.train.loss import arithmetic, micro_batches, padded_lengths

LENGTHS = ((32, 32), (64, 32), (96, 32), (32, 64), (64, 64), (32, 96))
"""Of prompt and answer, in the passes that are looked at: six, for the six terms of a polynomial of degree two.

None is padded, neither alone (`Network.multiples`) nor in a line (`attention.LENGTHS`).
"""

HELD = {"cpu": 0.25}
"""How much of a micro-batch's memory the allocator holds beyond what lives, where blocks come in all sizes."""

KEPT_BY_LIBRARIES = {"cpu": 300_000_000}
"""Bytes that a run of any size takes: compiled kernels and their room to work, small blocks that are never joined."""


@dataclass(frozen=True)
class Plan:
    """Bytes that a run takes, beside what the process holds already."""

    weights: int
    """All of the model's, trained or not."""
    gradients: int
    optimizer: int
    best: int
    """The copy of the best weights so far."""
    beginnings: int
    """The copy of what they were at first, which L2-SP needs."""
    base: int
    """The base's own, where its expectations are taught."""
    activations: int
    """Of the largest micro-batch."""
    head: int
    """The logits of the largest micro-batch, with their gradients."""
    held: int
    """What the allocator and libraries hold beside what lives."""

    @property
    def total(self) -> int:
        """All of it at once, which is what the second step takes."""
        return sum(asdict(self).values())

    def told(self) -> str:
        """Return the plan in one line."""
        parts = ", ".join(f"{name} {_megabytes(size)}" for name, size in asdict(self).items() if size)
        return f"memory: about {_megabytes(self.total)} ({parts})"

    def plain(self) -> dict[str, int]:
        """Return the bytes of each part and of all."""
        return {**asdict(self), "total": self.total}


def plan(
    network: Network,
    lessons: Lessons,
    *,
    rows: int,
    tokens: int,
    precision: Precision,
    optimizer: Literal["adamw", "adafactor"] = "adamw",
    l2_sp: bool = False,
    kl: bool = False,
    shards: int = 1,
) -> Plan:
    """Return what training `network` on `lessons` takes, with so many rows in a step and padded tokens at once.

    In shards, that is each process's while it teaches; while it judges, all weights stand in it.
    """
    module = network.module
    weights = _bytes_of([*module.parameters(), *module.buffers()])
    learning = [weight for weight in module.parameters() if weight.requires_grad]
    trained = _bytes_of(learning)
    kept, device = _Kept(network, precision), next(module.parameters()).device.type
    vocabulary = module.get_output_embeddings().weight.shape[0]  # type: ignore[operator]
    widest = max(
        (batch for step in heaviest(lessons, rows=rows) for batch in micro_batches(network, step, tokens=tokens)),
        key=lambda batch: kept.bytes_for(batch) + head_bytes(_labels(batch), vocabulary=vocabulary),
    )
    activations, head = int(kept.bytes_for(widest)), head_bytes(_labels(widest), vocabulary=vocabulary, kl=kl)
    return Plan(
        weights=weights // shards,
        gradients=trained // shards,
        optimizer=(2 * trained if optimizer == "adamw" else sum(map(_factors, learning))) // shards,
        best=trained,
        beginnings=trained // shards if l2_sp else 0,
        base=weights if kl else 0,
        activations=activations,
        head=head,
        held=int(HELD.get(device, 0.0) * (activations + head)) + KEPT_BY_LIBRARIES.get(device, 0),
    )


def _factors(weight: Tensor) -> int:
    """Return the bytes of what Adafactor keeps: of a matrix, a row and a column."""
    return 4 * (weight.shape[-1] + weight.numel() // weight.shape[-1] if weight.ndim > 1 else weight.numel())


def head_bytes(labels: int, *, vocabulary: int, kl: bool = False) -> int:
    """Return what the logits of so many labels take at the worst moment.

    That is for a few labels at once: the log-probabilities in fp32, the gradient that the loss gives them, and theirs;
    with what a base expects there, as much again.
    """
    return (24 if kl else 12) * min(labels * vocabulary, LOGITS_AT_ONCE)


def _labels(batch: Sequence[Pair]) -> int:
    return sum(len(pair.answer) for pair in batch)


class _Kept:
    """What a forward pass keeps for the backward pass, as a function of the micro-batch."""

    def __init__(self, network: Network, precision: Precision) -> None:
        self._network, self._precision = network, precision
        few = np.array([self._look(2, *lengths) for lengths in LENGTHS])
        more = np.array([self._look(4, *lengths) for lengths in LENGTHS])
        per_row = (more - few) / 2
        terms = np.array([_terms(*lengths) for lengths in LENGTHS])
        self._per_row = np.linalg.solve(terms, per_row)
        self._fixed = np.linalg.solve(terms, few - 2 * per_row)

    def bytes_for(self, batch: Sequence[Pair]) -> float:
        """Return the bytes that stay for the backward pass, the logits apart."""
        prompts, answers = zip(*(padded_lengths(self._network, pair) for pair in batch), strict=True)
        terms = _terms(max(prompts), max(answers))
        return max(0.0, float(terms @ (len(batch) * self._per_row + self._fixed)))

    def _look(self, rows: int, prompt: int, answer: int) -> int:
        """Count the bytes that a pass over so many rows keeps; all but one are shorter by a token, and so padded."""
        module = self._network.module
        vocabulary = module.get_output_embeddings().weight.shape[0]  # type: ignore[operator]
        known = {weight.untyped_storage().data_ptr() for weight in [*module.parameters(), *module.buffers()]}
        found: dict[int, torch.UntypedStorage] = {}  # held, so that no place is given out twice

        def look(kept: Tensor) -> Tensor:
            storage = kept.untyped_storage()
            logits = kept.ndim == 2 and kept.shape[1] == vocabulary and kept.shape[0] <= rows * answer
            if storage.data_ptr() not in known and not logits:
                found[storage.data_ptr()] = storage
            return kept.detach()  # an output that holds itself would never be freed

        batch = [Pair((1,) * (prompt - (row > 0)), (1,) * (answer - (row > 0))) for row in range(rows)]
        taught = module.training
        module.train()
        with torch.random.fork_rng(), arithmetic(module.device, self._precision):  # type: ignore[arg-type]
            with torch.autograd.graph.saved_tensors_hooks(look, lambda kept: kept):
                losses = self._network.token_losses(batch)
        module.train(taught)
        del losses
        return sum(storage.nbytes() for storage in found.values())


def _terms(prompt: int, answer: int) -> NDArray[np.float64]:
    return np.array([1, prompt, answer, prompt**2, answer**2, prompt * answer], dtype=np.float64)


def _bytes_of(tensors: Sequence[Tensor | nn.Parameter]) -> int:
    """Return the bytes of tensors; one that is tied to another counts once."""
    return sum({tensor.data_ptr(): tensor.nbytes for tensor in tensors}.values())


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size < 1e10 else f"{size / 1e9:,.0f} GB"
