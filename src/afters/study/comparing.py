"""What a run compares, task by task: the tuned model with the base, with the best prompting, with the nearest row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from afters.compare.change import compare, with_corrections
from afters.errors import ComparisonRefused
from afters.metrics.metric import objection
from afters.metrics.table import NEED_LIKELIHOODS
from afters.records import Comparison, Result
from afters.study.asking import best_shots
from afters.study.work import TaskAtHand, Work


class Compared(NamedTuple):
    """What was compared, and what was not."""

    comparisons: tuple[Comparison, ...]
    left_out: tuple[str, ...]
    """Sentences: which scores stand there and were not compared, and why."""


def compare_tasks(work: Work, before: Mapping[str, Mapping[str, Result]], after: Mapping[str, Result]) -> Compared:
    """Compare every task by the score that decides, then by the others, which explore.

    Args:
        work: whose tasks they are.
        before: what the base and the nearest row answered, by task and label.
        after: what the tuned model answered, by task.

    Raises:
        ComparisonRefused: a task cannot be compared by the score that decides. Of one that explores, that is told.
    """
    made, left_out = list[Comparison](), list[str]()
    for task in work.tasks:
        made += _by_what_decides(work, task, before[task.name], after[task.name], left_out)
        made += _by_the_others(work, task, before[task.name]["before"], after[task.name], left_out)
    return Compared(tuple(with_corrections(made)), tuple(left_out))


def _by_what_decides(
    work: Work, task: TaskAtHand, judged: Mapping[str, Result], tuned: Result, left_out: list[str]
) -> Iterator[Comparison]:
    declared = partial(
        compare,
        after=tuned,
        metric=task.primary_metric,
        score=task.primary,
        smallest_effect=task.smallest_effect,
        seed=work.study.seed,
    )
    yield declared(judged["before"], kind="tuning", primary=True)
    if shots := best_shots(work, task, dict(judged)):
        with _told_in(left_out, f"{task.name}, {task.primary} against {shots} shots"):
            yield declared(judged[f"shots={shots}"], kind="prompting", primary=False)
    if "nearest" in judged:
        against = f"{task.name}, {task.primary} against the nearest teaching row"
        if task.primary_metric.name in NEED_LIKELIHOODS:  # its own answer is certain to it, and every other ruled out
            left_out.append(f"{against}: it weighs nothing.")
            return
        with _told_in(left_out, against):
            yield declared(judged["nearest"], kind="baseline", primary=False)


def _by_the_others(
    work: Work, task: TaskAtHand, base: Result, tuned: Result, left_out: list[str]
) -> Iterator[Comparison]:
    for metric in task.metrics:
        names = [name for name in metric.names if name != task.primary]
        if names and (reason := objection(metric, cases=sum(row is not None for row in tuned.rows[metric.name]))):
            left_out.append(f"{task.name}, {metric.name}: {reason}.")
            continue
        for name in names:
            with _told_in(left_out, f"{task.name}, {name}"):
                yield compare(base, tuned, metric, score=name, kind="tuning", primary=False, seed=work.study.seed)


@contextmanager
def _told_in(left_out: list[str], what: str) -> Iterator[None]:
    """Tell of a comparison that is refused, and go on with the next."""
    try:
        yield
    except ComparisonRefused as problem:
        left_out.append(f"{what}: {problem.what}{f' ({problem.received})' if problem.received else ''}.")
