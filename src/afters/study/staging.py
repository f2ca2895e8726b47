"""The tasks one after the other: each stage goes on from the last one's model, and all is asked after each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from afters.compare.finding import WITHOUT_A_SCALE
from afters.compare.staged import staged
from afters.compare.stages import Staged
from afters.errors import SettingsError
from afters.metrics.metric import Metric
from afters.records import Result
from afters.study.asking import ask_kept, ask_other, tuned_model
from afters.study.work import TaskAtHand, Work

Answers = Mapping[str, Result]
"""What one model answered, by task."""


def stages_of(work: Work) -> tuple[Work, ...]:
    """Return the work of each stage; the last one leaves the run's own model."""
    found, base = list[Work](), work.base
    for number, stage in enumerate(work.study.stages, start=1):
        name = f"stage-{number}" if number < len(work.study.stages) else ""
        folder = work.folder.other(name) if name else work.folder
        study = work.study.model_copy(update={"train": stage.train or work.study.train})
        found.append(replace(work, study=study, folder=folder, tasks=[work.named(stage.task)], base=base, other=name))
        base = folder.model
    return tuple(found)


def check_stages(work: Work) -> None:
    """Refuse a task whose primary score is the better the lower: measures of several stages take means over tasks.

    Raises:
        SettingsError: told before anything is asked.
    """
    lower = [task.name for task in work.tasks if not _is_on_a_scale(task)]
    if work.study.stages and lower:
        raise SettingsError(
            "a score on a scale is wanted of every stage's task",
            where=f"[[task]] {lower[0]}",
            expected="a primary score from 0 to 1 or to 100, of which more is better",
        )


def ask_stages(work: Work, before: Answers, after: Answers, kept_before: Answers, kept_after: Answers) -> Staged:
    """Ask every task after every stage, and return the matrix with what is made of it."""
    rows: list[Answers] = [{**before, **kept_before}]
    for part in stages_of(work)[:-1]:
        model = cache(partial(tuned_model, part))
        asked = {task.name: ask_other(work, task, model, part.other) for task in work.tasks}
        rows.append({**asked, **ask_kept(work, model, "tuned", other=part.other)})
        model.cache_clear()
    rows.append({**after, **kept_after})
    taught = [work.named(stage.task) for stage in work.study.stages]
    columns = [_column(task, rows) for task in (*taught, *filter(_is_on_a_scale, work.kept))]
    return staged(columns, taught=len(taught), seed=work.study.seed)


def _is_on_a_scale(task: TaskAtHand) -> bool:
    return task.primary_metric.name not in WITHOUT_A_SCALE and task.primary_metric.direction == "higher"


def _column(task: TaskAtHand, rows: Sequence[Answers]) -> tuple[list[Result], Metric, str]:
    return [row[task.name] for row in rows], task.primary_metric, task.primary
