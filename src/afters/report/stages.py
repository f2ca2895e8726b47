"""Tasks that were taught one after the other: the whole task-by-stage matrix, and what is made of it."""

from __future__ import annotations

from afters.compare.stages import Staged
from afters.report.blocks import Cell, Points, Section, Table
from afters.report.numbers import number, signed, span
from afters.report.told import Told

MEASURES = {
    "average": ("Average", "the mean over the taught tasks after the last stage (ACC; Lopez-Paz and Ranzato 2017)"),
    "backward_transfer": (
        "Backward transfer",
        "what later stages did to what earlier ones taught: the mean of the last score less that after its own stage "
        "(BWT, divided by T - 1; Lopez-Paz and Ranzato 2017)",
    ),
    "forward_transfer": (
        "Forward transfer",
        "what earlier stages did for a task before its own: the mean of its score then less the base's (FWT; Lopez-Paz "
        "and Ranzato 2017, with the base in the place of random weights)",
    ),
    "forgetting": (
        "Forgetting",
        "how far earlier tasks fell from their best: the mean of that less the last score (Chaudhry et al. 2018)",
    ),
    "general_change": (
        "What no stage taught",
        "the mean of the last score less the base's over the tasks that no stage taught (TRACE; Wang et al. 2023)",
    ),
}
"""How each measure is called, and what it is."""


def stages(told: Told) -> Section:
    """Return the matrix and its measures; nothing where all was taught at once."""
    if not told.stages:
        return Section("stages", "Stage by stage", ())
    found = told.stages
    measures = Points(tuple(_measure(found, name) for name in MEASURES if name in found.measures))
    return Section("stages", "Stage by stage", (_matrix(found), measures))


def _matrix(found: Staged) -> Table:
    """Return a line for each task, since tasks are many and stages few."""
    columns = ("Task", "Score", "The base", *(f"After {task}" for task in found.tasks[: found.taught]))
    rows = tuple(
        (Cell(name), Cell(score), *(_score(found, stage, task) for stage in range(found.taught + 1)))
        for task, (name, score) in enumerate(zip(found.tasks, found.metrics, strict=True))
    )
    return Table("Each task's score after each stage, on a scale from 0 to 1; its own stage in bold", columns, rows)


def _score(found: Staged, stage: int, task: int) -> Cell:
    value = found.made.matrix[stage][task]
    return Cell(number(value), tone="strong" if task == stage - 1 else "")


def _measure(found: Staged, name: str) -> str:
    word, meaning = MEASURES[name]
    value = found.measures[name]
    write = number if name == "average" else signed
    return f"{word}: {write(value.value)} ({span(value.low, value.high, sign=name != 'average')}): {meaning}."
