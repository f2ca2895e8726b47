"""A run of twelve steps that a test may stop, spoil and go on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from afters.model.load import Loaded, Precision
from afters.model.network import Pair
from afters.train import checkpoint
from afters.train.loop import Trained, train
from afters.train.loss import mean_loss
from afters.train.settings import TrainSettings

STEPS = 12

PAIRS = [Pair(tuple(range(3, 6 + row % 7)), (*range(20 + row, 22 + row + row % 5), 1)) for row in range(24)]
"""Twenty-four rows: two epochs of them in steps of four are twelve steps."""

Weights = dict[str, Tensor]


def teach(
    loaded: Loaded,
    folder: Path,
    *,
    validate: Callable[[int], float] | None = None,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    higher_is_better: bool = False,
    precision: Precision = "fp32",
    **settings: Any,
) -> Trained:
    """Train on PAIRS, with dropout as the model has it, in micro-batches, with checkpoints after steps 3, 6, 9 and 12.

    Validation is the loss on some of the rows when nothing else is given.
    """
    chosen = {"epochs": 2, "batch_rows": 4, "token_budget": 48, "window_steps": 2, "learning_rate": 0.01}

    def by_loss(step: int) -> float:
        return mean_loss(loaded.network, PAIRS[::5], tokens=100, precision="fp32")

    return train(
        loaded.network,
        PAIRS,
        TrainSettings(**{**chosen, "validations": 4, **settings}),
        seed=5,
        folder=folder,
        precision=precision,
        validate=validate or by_loss,
        higher_is_better=higher_is_better,
        on_step=on_step,
    )


def weights_of(loaded: Loaded) -> Weights:
    """Copy a network's weights."""
    return {name: weight.detach().clone() for name, weight in loaded.network.module.named_parameters()}


def same(before: Weights, after: Weights) -> bool:
    """Tell whether two sets of tensors are equal bit for bit."""
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


def newest(folder: Path) -> dict[str, Weights]:
    """Return what the newest checkpoint of a run holds, by file."""
    place = checkpoint.saved(folder / "checkpoints")[-1]
    return {path.name: load_file(path) for path in place.glob("*.safetensors")}


def losses_of(folder: Path) -> list[float]:
    """Return the losses that a run has logged; its steps must be numbered without a gap."""
    lines = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, len(lines) + 1))
    return [line["loss"] for line in lines]
