"""What tests of whole studies share: messages for two teams, a study of them, and somebody who is told how it goes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from afters.study.work import Advance, Silent

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
[keep]
tasks = []
[before]
shots = [0, 1]
[train]
epochs = 2
batch_rows = 4
validations = 2
[judge]
max_new_tokens = 4
"""


class Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


class Killed(Exception):
    """Stands for SIGKILL at a stage: nothing after it is written."""


class Killer(Silent):
    """Tells nobody, and dies when a stage has done so much of its work."""

    def __init__(self, stage: str, *, after: int = 1) -> None:
        self._stage, self._after = stage, after

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Advance]:
        done = 0

        def advance(count: int, note: str = "") -> None:
            nonlocal done
            done += count
            if name == self._stage and done >= self._after:
                raise Killed

        yield advance


def tickets(folder: Path, *, base: Path) -> Path:
    """Write a study of sixty messages for two teams, and return its file."""
    (folder / "study.toml").write_text(STUDY.format(base=base))
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(60)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    return folder / "study.toml"


COLOURS = """
[[keep.task]]
name = "colours"
source = "colours.jsonl"
wordings = ["What colour is {{ thing }}?"]
answer = "{{ colour }}"
choices = ["red", "blue"]
metrics = ["accuracy"]
"""
"""A task that must not be lost, of what `write_colours` writes."""


def write_colours(folder: Path, *, rows: int) -> None:
    """Write so many things and their colours, red and blue by turns."""
    lines = [{"thing": f"thing {number}", "colour": ("red", "blue")[number % 2]} for number in range(rows)]
    (folder / "colours.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def tasks_of(folder: Path, sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Write the rows of tasks with so many teaching rows each, and return what a study says of them."""
    tasks = []
    for name, size in sizes.items():
        for side, rows in (("train", size), ("validation", 2), ("test", 6)):
            lines = [{"message": f"{side} {name} {row}", "reply": f"{name} is {row}"} for row in range(rows)]
            (folder / f"{name}.{side}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        files = {side: f"{name}.{side}.jsonl" for side in ("train", "validation", "test")}
        asked = {"wordings": ["Say: {{ message }}"], "answer": "{{ reply }}", "metrics": ["exact_match"]}
        tasks.append({"name": name, **files, **asked})
    return tasks
