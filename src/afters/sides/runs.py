"""A run folder as a side: one of its Results for each task, as it was judged then."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from afters.errors import RunFolderError, unknown
from afters.records import Result
from afters.runfolder import RunFolder, is_in_other_wording
from afters.sides.side import Declared, Options

OPTIONS: Final = ("best_reference", "stem", "words", "positive")
"""What a task's settings say of how its metrics count."""


class RunSide:
    """The Results of one label in a run folder: "after" unless another is named, or the only one of an evaluation.

    Of the tasks that the study names, in its order; what must not be lost is compared within a run, by margins.
    """

    def __init__(self, path: Path, *, label: str = "", name: str = "") -> None:
        folder = RunFolder.opened(path, judged=True)
        self._study = _study_of(folder)
        every = folder.results()
        by_task = {task: every[task] for task in self._study if task in every}
        label = label or _usual(folder)
        self._results = {task: results[label] for task, results in by_task.items() if label in results}
        if not self._results:
            labels = {label for results in by_task.values() for label in results}
            hint = f"Name another one behind the folder: {path.name}:before."
            raise RunFolderError(unknown("result", label, labels), where=path.name, hint=hint)
        self.name = name or f"{path.resolve().name}: {label}"
        self.label = label
        self.tasks = tuple(self._results)
        self._primary = folder.read_json("making.json").get("primary", {})

    def offers(self, task: str) -> tuple[str, ...]:
        """Return the run's scores of the task, the one that decided first."""
        names = [score.name for score in self._results[task].scores]
        return tuple(sorted(names, key=lambda name: name != self._primary.get(task)))

    def columns(self, task: str) -> tuple[str, ...]:
        """Return nothing: a run's numbers are its metrics' own."""
        return ()

    def declared(self, task: str) -> Declared | None:
        """Return what the run's study declared of the task."""
        primary = self._primary.get(task)
        return Declared(primary, float(self._study[task].get("smallest_effect", 0.0))) if primary else None

    def options(self, task: str) -> Options | None:
        """Return what the run's study said of how the task's metrics count."""
        return {name: value for name, value in self._study[task].items() if name in OPTIONS}

    def result(self, task: str, *, scores: Sequence[str]) -> Result:
        """Return the Result as the run folder holds it."""
        return self._results[task]


def _usual(folder: RunFolder) -> str:
    """Return the label that is meant where none is named."""
    every = {label for labels in folder.read_json("results/index.json").values() for label in labels}
    labels = {label for label in every if not is_in_other_wording(label)}
    return labels.pop() if len(labels) == 1 else "after"


def _study_of(folder: RunFolder) -> dict[str, Mapping[str, Any]]:
    """Return each task's settings, as the study in the folder has them."""
    settings: dict[str, Any] = tomllib.loads((folder.path / "study.toml").read_text(encoding="utf-8"))
    return {str(task.get("name")): task for task in settings.get("task", [])}
