"""A side: a run folder, a prediction file or lm-eval's samples, asked for the Result of one task at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from afters.records import Result

UNNAMED = "answers"
"""The task of a file that names none."""


Options = Mapping[str, Any]
"""What a study's task says of how its metrics count, as `metric_for` takes it."""


class Declared(NamedTuple):
    """What a study said, before anything was measured, about what decides."""

    primary: str
    smallest_effect: float


class Side(Protocol):
    """One run, or one file, of one side of a comparison."""

    name: str
    """As the shell and the JSON call it."""
    tasks: tuple[str, ...]

    def offers(self, task: str) -> tuple[str, ...]:
        """Return the scores that stand there already, the one that decides first."""
        ...

    def columns(self, task: str) -> tuple[str, ...]:
        """Return the columns that may hold a number for each Case."""
        ...

    def declared(self, task: str) -> Declared | None:
        """Return what was declared beforehand, where that is known."""
        ...

    def options(self, task: str) -> Options | None:
        """Return the options of the task's metrics; None where no study says them."""
        ...

    def result(self, task: str, *, scores: Sequence[str]) -> Result:
        """Return the task's Result; its rows hold the columns among `scores`, and what was scored before."""
        ...
