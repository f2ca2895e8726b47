"""Killed by SIGKILL at every step of a run of twelve, and gone on with by another process: bit for bit the same run.

One process imports torch, with one thread and without computing anything, and forks a child for each run, so that
each is a process of its own that dies as a killed one does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tiny_models import Tiny
from tiny_training import PAIRS, STEPS, Weights, losses_of, newest, same, teach, weights_of
from torch import Tensor

from afters.data.mixture import Mixture
from afters.model.adapters import wrap
from afters.model.load import load
from afters.model.network import Pair
from afters.train.lessons import Pairs, Places

CASES: dict[str, dict[str, Any]] = {
    "accumulation": {"kind": "t5", "token_budget": 20},
    "one batch a step": {"kind": "t5", "token_budget": 10_000},
    "decoder-only": {"kind": "llama", "token_budget": 48},
    "an adapter": {"kind": "t5", "method": "lora"},
    "a mixture": {"kind": "llama", "tasks": 2},
    "rate by size, patience": {"kind": "t5", "scale_parameter": True, "patience": 4},
}
"""What is taught, and how. The run is of two epochs: from step 7 on it is in the second."""


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_a_run_killed_at_any_step_and_gone_on_with_is_the_run_that_was_not(
    tiny: Tiny, tmp_path: Path, case: str
) -> None:
    base = tiny(CASES[case]["kind"])
    forked(tmp_path, base, case, [("whole", 0)])
    whole = seen(tmp_path / "whole")
    assert [len(rows) for rows in whole.values()] == [4] * STEPS
    assert len({row for rows in whole.values() for row in rows}) == 24, "both epochs take every row"
    killed = [(str(step), step) for step in range(1, STEPS + 1)]
    assert forked(tmp_path, base, case, killed) == [-signal.SIGKILL] * STEPS
    assert not list(tmp_path.glob("[0-9]*/left.safetensors"))
    assert forked(tmp_path, base, case, [(name, 0) for name, _ in killed]) == [0] * STEPS
    for name, _ in killed:
        folder = tmp_path / name
        assert losses_of(folder) == losses_of(tmp_path / "whole"), name
        assert seen(folder) == whole, name
        found, expected = files_of(folder), files_of(tmp_path / "whole")
        assert found.keys() == expected.keys() >= {"left.safetensors", "optimizer.safetensors"}
        assert all(same(found[file], expected[file]) for file in found), name


def files_of(folder: Path) -> dict[str, Weights]:
    return {"left.safetensors": load_file(folder / "left.safetensors"), **newest(folder)}


def seen(folder: Path) -> dict[int, list[int]]:
    """Which rows the model was taught in each step; a step that was done twice must have had the same both times."""
    steps: dict[int, list[int]] = {}
    for line in (folder / "seen.jsonl").read_text().splitlines():
        taught = json.loads(line)
        assert steps.setdefault(taught["step"], taught["rows"]) == taught["rows"]
    return dict(sorted(steps.items()))


def forked(folder: Path, base: Path, case: str, runs: Sequence[tuple[str, int]]) -> list[int]:
    """Run each (name of the folder, step to be killed at; 0: never) in a process of its own; return how each ended."""
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    command = [sys.executable, __file__, str(folder), str(base), case, json.dumps(runs)]
    done = subprocess.run(command, env={**place, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [int(code) for code in json.loads(done.stdout)]


def one_run(folder: Path, base: Path, case: str, *, killed_at: int) -> None:
    """Teach, noting the rows of each step as the network meets them, and die after step `killed_at`."""
    settings = dict(CASES[case])
    del settings["kind"]
    taught, lessons = PAIRS, None
    if settings.pop("tasks", 1) == 2:
        # The second task asks otherwise, and answers with other words.
        other = [Pair((2, *pair.prompt), pair.answer[::-1]) for pair in PAIRS[1::2]]
        taught, lessons = PAIRS[::2] + other, TwoTasks(PAIRS[::2], other)
    loaded = load(base, precision="fp32", for_training=True)
    if settings.pop("method", "full") == "lora":
        adapt(loaded.network.module)
    honest, rows = loaded.network.token_losses, list[int]()

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if loaded.network.module.training:
            rows.extend(index for pair in pairs for index, one in enumerate(taught) if one[:2] == pair[:2])
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]

    def on_step(step: int, steps: int, loss: float) -> None:
        # Before its first step a process has tried the longest rows.
        last = rows[-4:]
        with (folder / "seen.jsonl").open("a") as file:
            file.write(json.dumps({"step": step, "rows": last}) + "\n")
        rows.clear()
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)

    teach(loaded, folder, pairs=taught, lessons=lessons, on_step=on_step, **settings)
    save_file(weights_of(loaded), folder / "left.safetensors")


class TwoTasks:
    """Lessons of two tasks of twelve rows, of which a pass takes eight and sixteen."""

    tasks = ("first", "second")
    rows = 24

    def __init__(self, first: Sequence[Pair], second: Sequence[Pair]) -> None:
        self._tasks = Pairs(first), Pairs(second)
        self._mixture = Mixture([12, 12], [8, 16], seed=3)

    def lengths(self, places: Places) -> NDArray[np.int64]:
        return np.array([[len(ids) for ids in pair[:2]] for pair in self.pairs(places)])

    def pairs(self, places: Places) -> list[Pair]:
        tasks, rows = (found.tolist() for found in self._mixture.at(places))
        return [self._tasks[task][row]._replace(task=task) for task, row in zip(tasks, rows, strict=True)]


def adapt(module: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        wrap(module, rank=2, alpha=8.0, dropout=0.1, targets=["all-linear"])


def serve(folder: Path, base: Path, case: str, runs: Sequence[tuple[str, int]]) -> list[int]:
    """Fork a child for each run, one after the other."""
    codes = []
    for name, killed_at in runs:
        child = os.fork()
        if child == 0:
            try:
                one_run(folder / name, base, case, killed_at=killed_at)
            except BaseException as error:
                print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
                os._exit(1)
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return codes


if __name__ == "__main__":
    folder, base, case, runs = sys.argv[1:]
    print(json.dumps(serve(Path(folder), Path(base), case, json.loads(runs))))
