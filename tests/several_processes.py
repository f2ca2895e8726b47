"""What tests of several processes share: how torchrun starts them, what they ask, how one of them takes a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from afters.records import Example

ROUNDING = 1e-9
"""In float64 at a rate of 0.01, by the last of twelve steps; 2e-10 on one machine, less on another."""

EXAMPLES = [
    Example(str(row), "chats", f"rows:{row}", "", "", "Summarise this chat. " * (1 + row % 3), ("no",), choices=choices)
    for row, choices in enumerate([()] * 7 + [("yes", "no")] * 5)
]
"""In small batches, an odd number of them."""

STUDY = """
name = "tickets"
[model]
base = "{base}"
precision = "fp32"
[[task]]
name = "tickets"
source = "tickets.csv"
wordings = ["Which team? {{{{ message }}}}"]
answer = "{{{{ team }}}}"
metrics = ["exact_match"]
[before]
shots = [0, 1]
[train]
epochs = 2
batch_rows = 4
validations = 2
[judge]
max_new_tokens = 4
"""


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


def tickets(folder: Path, *, base: Path) -> Path:
    """Write a study of sixty messages for two teams, and return its file."""
    (folder / "study.toml").write_text(STUDY.format(base=base))
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(60)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    return folder / "study.toml"
