"""Token-normalised loss: the sum of token losses over the label tokens of the whole optimizer step.

A token's loss is its cross-entropy, or the divergence from what a base expects there.

Every micro-batch is divided by the step's own count of label tokens, so that a step's gradient is the same however
it is cut. Dividing by each micro-batch's own count instead, as common trainers do for encoder-decoder models,
weighs short answers more and grows with the number of micro-batches.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import zip_longest

import numpy as np
import torch
from torch import Tensor

from afters.model.batching import Lengths, by_budget
from afters.model.load import Precision
from afters.model.network import Network, Pair
from afters.model.parallel import ALONE, Processes
from afters.model.shards import SHORT


def micro_batches(network: Network, pairs: Sequence[Pair], *, tokens: int) -> Iterator[list[Pair]]:
    """Cut an optimizer step into batches of at most `tokens` tokens, as the network pads them; soft pairs apart."""
    for soft in (False, True):
        alike = [pair for pair in pairs if pair.soft == soft]
        lengths = [Lengths(*padded_lengths(network, pair)) for pair in alike]
        for batch in by_budget(lengths, tokens=tokens):
            yield [alike[row] for row in batch]


def padded_lengths(network: Network, pair: Pair) -> tuple[int, int]:
    """Return how long prompt and answer of a row are at the least, once the network has padded them."""
    prompt, answer = network.multiples
    return -(-len(pair.prompt) // prompt) * prompt, -(-len(pair.answer) // answer) * answer


def label_tokens(pairs: Sequence[Pair]) -> int:
    """Count the tokens that are taught: every token of the answers, their end included, and no other."""
    return sum(len(pair.answer) for pair in pairs)


def arithmetic(device: torch.device, precision: Precision) -> AbstractContextManager[None]:
    """Return the context in which weights held in fp32 are multiplied in `precision`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def backward(
    network: Network,
    pairs: Sequence[Pair],
    *,
    tokens: int,
    precision: Precision,
    smoothing: float = 0.0,
    base: Network | None = None,
    total: int | None = None,
    passes: int = 0,
    sums: Sums | None = None,
    before_each: Callable[[], None] = lambda: None,
) -> float:
    """Add the gradient of the step's mean token loss to the weights' `.grad`, and return that loss in nats.

    Of a soft pair, a token's loss is the forward KL divergence from what `base` expects there, and nothing is smoothed.
    Of a step that is shared out, `pairs` are this process's rows and `total` the label tokens of all; the share of the
    loss is returned. At least `passes` micro-batches are computed, idle ones in the end. `sums` gets each task's losses
    and tokens added. `before_each` is called before each micro-batch, and may end the step by raising.
    """
    total = label_tokens(pairs) if total is None else total
    loss = 0.0
    own = [*micro_batches(network, pairs, tokens=tokens)]
    for batch in [*own, *[SHORT] * (passes - len(own))]:
        before_each()
        divisor = math.inf if batch is SHORT else total  # an idle one weighs nothing
        with arithmetic(network.module.device, precision):  # type: ignore[arg-type]
            if batch[0].soft:
                assert base is not None, "who expects what is taught?"
                losses = network.divergences(batch, base.expected(batch))
            else:
                losses = network.token_losses(batch, smoothing=smoothing)
            share = losses.sum() / divisor
        if sums is not None and batch is not SHORT:
            sums.add(losses.detach(), batch)
        share.backward()  # type: ignore[no-untyped-call]
        loss += share.item()
    return loss


class Sums:
    """What each task of one step cost: the sum of its losses in nats, its answer tokens, its rows."""

    def __init__(self, tasks: int) -> None:
        self.of: list[list[float]] = [[0.0, 0, 0] for _ in range(tasks)]

    def add(self, losses: Tensor, batch: Sequence[Pair]) -> None:
        """Count the losses of a micro-batch, (answer tokens of all pairs,)."""
        tasks = np.repeat([pair.task for pair in batch], [len(pair.answer) for pair in batch])
        told = torch.zeros(len(self.of), dtype=losses.dtype, device=losses.device)
        told.index_add_(0, torch.from_numpy(tasks).to(losses.device), losses)
        tokens, rows = Counter(tasks.tolist()), Counter(pair.task for pair in batch)
        sums = told.tolist()
        for task in rows:
            self.of[task] = [*map(sum, zip(self.of[task], (sums[task], tokens[task], rows[task]), strict=True))]

    def gather(self, processes: Processes) -> None:
        """Add what the other processes have counted."""
        everyone = processes.gathered(self.of)
        self.of = [[*map(sum, zip(*of_task, strict=True))] for of_task in zip(*everyone, strict=True)]

    def told(self, names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return for each task that had rows how many, how many answer tokens, and their mean loss in nats."""
        counted = zip(names, self.of, strict=True)
        return {
            name: {"rows": rows, "tokens": tokens, "loss": loss / tokens}
            for name, (loss, tokens, rows) in counted
            if rows
        }


@torch.no_grad()
def mean_loss(
    network: Network, pairs: Sequence[Pair], *, tokens: int, precision: Precision, processes: Processes = ALONE
) -> float:
    """Return the mean loss in nats over all answer tokens of `pairs`, without dropout.

    Each process computes every so-many-th micro-batch; the sum is taken in their order, and so is one process's.
    """
    taught = network.module.training
    network.module.eval()
    losses = []
    for batch in list(micro_batches(network, pairs, tokens=tokens))[processes.rank :: processes.count]:
        with arithmetic(network.module.device, precision):  # type: ignore[arg-type]
            losses.append(network.token_losses(batch).sum().item())
    network.module.train(taught)
    dealt = zip_longest(*processes.gathered(losses), fillvalue=0.0)
    return float(sum(loss for turn in dealt for loss in turn)) / label_tokens(pairs)
