"""What tests of several processes share: how torchrun starts them, what they ask, how one of them takes a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tiny_training import PAIRS, STEPS

from afters.records import Example
from afters.train.lessons import Pairs
from afters.train.order import Order

ROUNDING = 1e-9
"""In float64 at a rate of 0.01, by the last of twelve steps; 2e-10 on one machine, less on another."""

EXAMPLES = [
    Example(str(row), "chats", f"rows:{row}", "", "", "Summarise this chat. " * (1 + row % 3), ("no",), choices=choices)
    for row, choices in enumerate([()] * 7 + [("yes", "no")] * 5)
]
"""In small batches, an odd number of them."""


def first_step(run: Path) -> dict[str, float]:
    """Return loss and norm of the gradient of a run's first step, before any rounding has been taught."""
    line = json.loads((run / "steps.jsonl").read_text().splitlines()[0])
    return {name: line[name] for name in ("loss", "gradient_norm")}


def assert_the_rows_of_one_are_shared_out(two: Path) -> None:
    """Hold what each of two processes has seen in each step against the rows of that step."""
    order = Order(Pairs(PAIRS), seed=5, epochs=2, batch_rows=4, window_steps=2)
    first, second = (json.loads((two / f"seen-{rank}.json").read_text()) for rank in (0, 1))
    for step in range(STEPS):
        assert sorted(first[step] + second[step]) == sorted(place % len(PAIRS) for place in order.places(step))
        assert first[step] and second[step]


def launched(*words: str, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run a file, or a module after "-m", in so many processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    place = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    environment = {**place, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=500, check=False)


class Terminated(BaseException):
    """What a process makes of SIGTERM, as the command line does."""


def how_it_ended(run: Callable[[], object]) -> str:
    """Return what a run is ended by when SIGTERM may come."""

    def end(number: int, frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, end)
    try:
        run()
    except (Terminated, Exception) as ended:
        return type(ended).__name__
    return "finished"


def terminate() -> None:
    """Send this process SIGTERM."""
    os.kill(os.getpid(), signal.SIGTERM)
