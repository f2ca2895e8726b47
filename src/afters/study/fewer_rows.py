"""How many rows does it take? The base is taught anew with fewer of the teaching rows, for the run's own folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from afters.compare.by_rows import by_rows
from afters.compare.rows import RowCurve
from afters.data.split import chosen
from afters.records import Result
from afters.report.numbers import count
from afters.study.work import TaskAtHand, Work


def numbers(work: Work) -> tuple[int, ...]:
    """Return the numbers of rows that the base is taught anew with, fewest first."""
    return tuple(rows for rows in work.study.train.rows if 0 < rows < work.rows)


def smaller(work: Work) -> tuple[Work, ...]:
    """Return the work of each smaller teaching, fewest rows first; a larger one has all rows of a smaller one."""
    return tuple(_smaller(work, rows) for rows in numbers(work))


def beyond(work: Work) -> tuple[int, ...]:
    """Return the numbers that are more than there are teaching rows."""
    return tuple(rows for rows in work.study.train.rows if rows > work.rows)


def announced(work: Work) -> Iterator[str]:
    """Say which numbers are taught as well, and which are left out."""
    if fewer := ", ".join(f"{rows:,}" for rows in numbers(work)):
        yield f"the base is taught anew with {fewer} of {count(work.rows, 'row')} as well"
    for rows in beyond(work):
        yield f"[train] rows = {rows:,}: there are {work.rows:,} teaching rows, so it is left out"


def along_rows(
    work: Work, task: TaskAtHand, parts: Iterable[Work], asked: Mapping[int, Mapping[str, Result]]
) -> RowCurve:
    """Set a task's primary score after none, some and all of the teaching rows side by side.

    `asked` has by the number of rows, and then by the task's name, what was answered.
    """
    of_task = {one.rows: next(part for part in one.tasks if part.name == task.name) for one in (work, *parts)}
    return by_rows(
        {rows: results[task.name] for rows, results in asked.items()},
        task.primary_metric,
        score=task.primary,
        own_rows={0: 0, **{rows: len(part.train) for rows, part in of_task.items()}},
        smallest_effect=task.smallest_effect,
        left_out=beyond(work),
        seed=work.study.seed,
    )


def shares(rows: int, sizes: Sequence[int]) -> list[int]:
    """Return how many of `rows` each task has, at least one, in proportion to how many there are of it.

    By Sainte-Laguë's rule after the first of each, since there no share falls when `rows` grows, as it can by the
    largest remainder: so a larger number can have all rows of a smaller one.

    >>> shares(10, [700, 200, 1]), shares(100, [700, 200, 1])
    ([7, 2, 1], [77, 22, 1])
    """
    assert len(sizes) <= rows <= sum(sizes)
    turns = np.concatenate([[0.0, *((np.arange(1, size) + 0.5) / size)] for size in sizes])
    tasks = np.repeat(np.arange(len(sizes)), sizes)
    first = tasks[np.argsort(turns, kind="stable")[:rows]]
    return [int(share) for share in np.bincount(first, minlength=len(sizes))]


def _smaller(work: Work, rows: int) -> Work:
    each = zip(work.tasks, shares(rows, [len(task.train) for task in work.tasks]), strict=True)
    tasks = [_with(task, share, seed=work.study.seed) for task, share in each]
    return replace(work, folder=work.folder.at(rows), tasks=tasks, fewer=rows)


def _with(task: TaskAtHand, rows: int, *, seed: int) -> TaskAtHand:
    """Return a task with only so many of its teaching rows, of which a pass takes the same share as of all."""
    from afters.train.lessons import Pairs

    positions = chosen(task.train.ids, rows, seed=seed)
    fewer = replace(task, train=task.train.select(positions))
    fewer.pairs = Pairs(task.pairs[position] for position in positions)
    fewer.rows_a_pass = max(1, round(task.rows_a_pass * rows / len(task.train)))
    return fewer
