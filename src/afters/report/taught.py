"""What several tasks were really taught, task by task, out of the training log."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from afters.report.blocks import Cell, Table
from afters.report.numbers import count, number

ENDS = 0.1
"""The share of a task's rows, from the first and from the last, over which its loss is averaged."""


class Taught(NamedTuple):
    """One task's part of the teaching."""

    task: str
    rows: int
    share_of_rows: float
    share_of_tokens: float
    """Of the answer tokens, which is what a step's loss weighs."""
    first_loss: float
    """In nats per answer token, over the first tenth of its steps."""
    last_loss: float


def taught(steps: Sequence[Mapping[str, Any]]) -> tuple[Taught, ...]:
    """Return what each task was taught, the largest share of rows first; nothing where there was one task."""
    by_task: dict[str, list[Mapping[str, float]]] = {}
    for step in steps:
        for task, counted in step.get("tasks", {}).items():
            by_task.setdefault(task, []).append(counted)
    rows = {task: sum(int(one["rows"]) for one in counted) for task, counted in by_task.items()}
    tokens = {task: sum(one["tokens"] for one in counted) for task, counted in by_task.items()}
    found = []
    for task in sorted(by_task, key=lambda task: -rows[task]):
        steps_at_ends = math.ceil(ENDS * len(by_task[task]))
        first, last = by_task[task][:steps_at_ends], by_task[task][-steps_at_ends:]
        shares = rows[task] / sum(rows.values()), tokens[task] / sum(tokens.values())
        found.append(Taught(task, rows[task], *shares, _mean_loss(first), _mean_loss(last)))
    return tuple(found)


def shares(steps: Sequence[Mapping[str, Any]]) -> tuple[Table, ...]:
    """Return what each task was taught as a table; none where there was one task."""
    rows = tuple(
        (
            Cell(one.task),
            Cell(count(one.rows)),
            *(Cell(f"{100 * share:.1f} %") for share in (one.share_of_rows, one.share_of_tokens)),
            *(Cell(number(loss)) for loss in (one.first_loss, one.last_loss)),
        )
        for one in taught(steps)
    )
    columns = ("Task", "Rows taught", "Share of rows", "Share of answer tokens", "Loss at first", "Loss at last")
    return (Table("What each task was taught", columns, rows),) if rows else ()


def _mean_loss(counted: Sequence[Mapping[str, float]]) -> float:
    return sum(one["loss"] * one["tokens"] for one in counted) / sum(one["tokens"] for one in counted)
