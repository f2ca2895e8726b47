"""A run of twelve steps that a test may stop, spoil and go on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from tiny_models import Kind, Tiny
from torch import Tensor

from afters.model.load import Loaded, Precision, load
from afters.model.network import Network, Pair
from afters.model.parallel import ALONE, Processes
from afters.train import checkpoint
from afters.train.lessons import Lessons, Pairs, Places
from afters.train.loop import Trained, train
from afters.train.loss import mean_loss
from afters.train.settings import TrainSettings

STEPS = 12

PAIRS = [Pair(tuple(range(3, 6 + row % 7)), (*range(20 + row, 22 + row + row % 5), 1)) for row in range(24)]
"""Twenty-four rows: two epochs of them in steps of four are twelve steps."""

ONE_BATCH = 10_000
"""Tokens: a step is one batch."""

Weights = dict[str, Tensor]

Load = Callable[[], Loaded]


def teach(
    loaded: Loaded,
    folder: Path,
    *,
    pairs: Sequence[Pair] = PAIRS,
    lessons: Lessons | None = None,
    validate: Callable[[int], float] | None = None,
    on_step: Callable[[int, int, float], None] = lambda step, steps, loss: None,
    higher_is_better: bool = False,
    precision: Precision = "fp32",
    tell: Callable[[str], None] = lambda line: None,
    processes: Processes = ALONE,
    base: Network | None = None,
    **settings: Any,
) -> Trained:
    """Train, with dropout as the model has it, in micro-batches, with checkpoints after steps 3, 6, 9 and 12.

    Validation is the loss on some of the rows when nothing else is given.
    """
    chosen = {"epochs": 2, "batch_rows": 4, "token_budget": 48, "window_steps": 2, "learning_rate": 0.01}

    def by_loss(step: int) -> float:
        return mean_loss(loaded.network, PAIRS[::5], tokens=100, precision="fp32", processes=processes)

    return train(
        loaded.network,
        lessons or Pairs(pairs),
        TrainSettings(**{**chosen, "validations": 4, **settings}),
        seed=5,
        folder=folder,
        precision=precision,
        validate=validate or by_loss,
        higher_is_better=higher_is_better,
        on_step=on_step,
        tell=tell,
        processes=processes,
        base=base,
    )


class HalfSoft(Pairs):
    """Rows of which every other one is taught what the base expects."""

    def pairs(self, places: Places) -> list[Pair]:
        """Return the rows at these places."""
        taught = zip(super().pairs(places), places.tolist(), strict=True)
        return [pair._replace(soft=place % 2 == 1) for pair, place in taught]


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


class Ended(NamedTuple):
    """All that a run leaves."""

    weights: Weights
    checkpoint: dict[str, Weights]
    losses: list[float]
    progress: object


class Stopped(BaseException):
    """What stands for a kill: nothing in the loop may catch it."""


def ended(loaded: Loaded, folder: Path) -> Ended:
    """Gather what a run left in its network and on disk."""
    state = json.loads((checkpoint.saved(folder / "checkpoints")[-1] / "state.json").read_text())
    return Ended(weights_of(loaded), newest(folder), losses_of(folder), state["progress"])


def assert_equal(found: Ended, expected: Ended) -> None:
    """Hold two runs against each other, bit for bit."""
    assert same(found.weights, expected.weights)
    assert found.checkpoint.keys() == expected.checkpoint.keys()
    assert all(same(tensors, expected.checkpoint[name]) for name, tensors in found.checkpoint.items())
    assert found.losses == expected.losses
    assert found.progress == expected.progress


def stop_after(step: int) -> Callable[[int, int, float], None]:
    """Stop a run when that step is done, before it is logged and saved."""

    def on_step(done: int, steps: int, loss: float) -> None:
        if done == step:
            raise Stopped

    return on_step


def noting(steps: list[int]) -> Callable[[int, int, float], None]:
    """Write the steps down as they are done."""
    return lambda done, total, loss: steps.append(done)


def plain(tiny: Tiny, kind: Kind) -> Load:
    """Load the tiny model of that kind anew each time."""
    return lambda: load(tiny(kind), precision="fp32", for_training=True)


def t5(tiny: Tiny, *, dropout: bool = True) -> Loaded:
    """Load the tiny T5, with its dropout or without."""
    loaded = load(tiny("t5"), precision="fp32", for_training=True)
    for part in loaded.network.module.modules():
        if not dropout and isinstance(part, torch.nn.Dropout):
            part.p = 0.0
        elif not dropout and hasattr(part, "dropout") and not isinstance(part.dropout, torch.nn.Module):
            part.dropout = 0.0  # type: ignore[assignment]  # T5's attention keeps a number
    return loaded
