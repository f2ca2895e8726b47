"""Write studies from a copy of Natural Instructions: one teaches its teaching tasks, two ask its held-out tasks.

    python -m examples.natural_instructions.studies FOLDER --out studies

FOLDER is a checkout of the collection, whole or in part: `tasks/`, and in `splits/default/` or `splits/` the two lists
of names. Which tasks teach and which are held out is the collection's own choice (Wang et al. 2022, arXiv:2204.07705).

`teaching.toml` teaches, `held-out.toml` asks. `other-definitions.toml` asks the same rows under the definition of
another task: who reads what is asked for does worse there.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tomli_w

from afters.data.library import from_library

ROWS = 200
"""Teaching rows that a task gives to a pass at most."""

SHARED: Mapping[str, Any] = {"seed": 7, "model": {"base": "afters-tiny"}, "judge": {"max_new_tokens": 64}}

TEACHING: Mapping[str, Any] = {
    "mixture": {"cap": ROWS},
    "before": {"shots": [0], "nearest": False},
    "train": {
        "epochs": 3,
        "batch_rows": 32,
        "token_budget": 8192,
        "learning_rate": 0.015,
        "scale_parameter": True,
        "validations": 3,
        "keep_best_by": "loss",
    },
}

Tasks = Mapping[Path, Mapping[str, Any]]
"""The content of each task's file."""


def write(folder: Path, out: Path) -> Iterator[tuple[Path, int, int]]:
    """Write the studies into `out`; yield each file, how many tasks it has, and how many files are not there."""
    out.mkdir(parents=True, exist_ok=True)
    for name, listed in (
        ("teaching", "train_tasks.txt"),
        ("held-out", "test_tasks.txt"),
        ("other-definitions", "test_tasks.txt"),
    ):
        found, missing = _tasks(folder, listed)
        told = [
            {
                "name": file.stem,
                "template": "natural_instructions",
                **_task(name, os.path.relpath(file, out), file, found),
            }
            for file in found
        ]
        path = out / f"{name}.toml"
        study = {"name": name, **SHARED, **(TEACHING if name == "teaching" else {}), "task": told}
        path.write_text(tomli_w.dumps(study), encoding="utf-8")
        yield path, len(told), missing


def _tasks(folder: Path, listed: str) -> tuple[Tasks, int]:
    """Return the tasks of a list that are in English, all that the embedded base has seen, and how many are missing."""
    splits = folder / "splits" / "default"
    names = ((splits if splits.is_dir() else folder / "splits") / listed).read_text(encoding="utf-8").split()
    files = [file for file in (folder / "tasks" / f"{name}.json" for name in names) if file.is_file()]
    read = {file: json.loads(file.read_text(encoding="utf-8")) for file in files}
    english = {
        file: task
        for file, task in read.items()
        if task.get("Input_language") == task.get("Output_language") == ["English"]
    }
    return english, len(names) - len(files)


def _task(study: str, source: str, file: Path, tasks: Tasks) -> dict[str, Any]:
    if study == "teaching":  # rows that the model can read whole; a few of its own watch over that
        return {"source": source, "too_long": "drop", "validation_limit": 5, "test_limit": 5}
    # `test` alone takes the collection's own hundred rows and teaches none. As in Tk-Instruct's evaluation, an answer
    # counts as much as the reference that fits best.
    judged = {"test": source, "best_reference": True}
    return judged if study == "held-out" else {**judged, "wordings": [_asked_otherwise(file, tasks)]}


def _asked_otherwise(file: Path, tasks: Tasks) -> str:
    """Return the usual wording with the definition of the next task of another category."""
    files = list(tasks)
    after = files[files.index(file) + 1 :] + files
    other = next(one for one in after if tasks[one]["Categories"] != tasks[file]["Categories"])
    usual = from_library("natural_instructions").named("definition").prompt
    return usual.replace("ended(definition)", f"ended({json.dumps(' '.join(tasks[other]['Definition']))})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the collection")
    parser.add_argument("--out", type=Path, required=True, help="where the studies go")
    given = parser.parse_args()
    for path, tasks, missing in write(given.folder, given.out):
        print(f"{path}: {tasks} tasks; of those listed, {missing} are not in {given.folder}")
