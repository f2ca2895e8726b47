"""Rows into tasks at hand: read, checked and counted. All problems are told before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from afters.compare.finding import WITHOUT_A_SCALE
from afters.compare.forgetting import MARGIN, best_value, five_points
from afters.data.other_wordings import OtherWordings, other_wordings
from afters.data.probes import HALVES, halves, probes, text_probe
from afters.data.tables import Tables
from afters.data.task import Prepared, TaskSettings, prepare
from afters.errors import InputError, SettingsError, collected, raise_together
from afters.metrics.likelihood import BitsPerByte
from afters.metrics.metric import Metric, notes, objection
from afters.metrics.table import NEED_CHOICES, NEED_LIKELIHOODS, metric_for
from afters.records import Decoding
from afters.study.proportions import inverted_of
from afters.study.settings import Study
from afters.study.work import TaskAtHand


def read_tasks(study: Study, *, folder: Path, strict: bool, tables: Tables | None = None) -> list[TaskAtHand]:
    """Read every task's rows and check every name; all problems are told together."""
    problems: list[InputError] = []
    tasks = []
    for settings in study.tasks:
        with collected(problems):
            tasks.append(read_task(study, settings, folder=folder, strict=strict, tables=tables))
    with collected(problems):
        _refuse_a_mean_of_opposites(study, tasks)
    raise_together(problems)
    return tasks


LONGEST = 32
"""Tokens of an answer to a probe: the right ones are shorter, and a model that rambles is wrong by then."""


def read_kept(study: Study, *, folder: Path, strict: bool, tables: Tables | None = None) -> list[TaskAtHand]:
    """Read the judging rows of what must not be lost; all problems are told together."""
    keep, problems = study.keep, list[InputError]()
    wanted: list[tuple[TaskSettings, Tables | None]] = []
    with collected(problems):
        wanted += [(probe, None) for probe in probes(keep.probes, teaching=not study.mend.is_empty)]
    wanted += [(task, tables) for task in keep.own]
    for file in keep.texts:
        with collected(problems):
            wanted.append((text_probe(file), {HALVES: halves(file, folder=folder)}))
    tasks = []
    for settings, given in wanted:
        with collected(problems):
            task = read_task(study, settings, folder=folder, strict=strict, tables=given)
            task.margin = getattr(settings, "margin", None) or _margin(task, keep.margin)
            _refuse_too_large(task.margin, task.primary_metric, where=f"[keep] {task.name}, margin")
            if settings not in keep.own:
                task.decoding = Decoding(max_new_tokens=LONGEST)
            tasks.append(task)
    raise_together(problems)
    return tasks


def _margin(task: TaskAtHand, declared: float | None) -> float:
    """Return the loss that does not matter, in the unit of the task's primary score."""
    metric = task.primary_metric
    if metric.name == BitsPerByte.name:
        return MARGIN if declared is None else declared
    try:
        return five_points(metric) * (declared or MARGIN) / MARGIN
    except SettingsError as problem:
        hint = "Give the task a margin of its own, in [[keep.task]]."
        raise SettingsError(
            problem.what, where=f"[[keep.task]] {task.name}", expected=problem.expected, hint=hint
        ) from None


def _refuse_a_mean_of_opposites(study: Study, tasks: Sequence[TaskAtHand]) -> None:
    directions = {task.primary_metric.direction for task in tasks}
    if len(directions) > 1 and study.train.keep_best_by == "primary":
        raise SettingsError(
            "the tasks' primary scores point in different directions, so their mean says nothing",
            where="[train] keep_best_by",
            hint='Set keep_best_by = "loss".',
        )
    names = {task.primary_metric.name for task in tasks}
    if len(names) > 1 and names & WITHOUT_A_SCALE and study.train.keep_best_by == "primary":
        raise SettingsError(
            "the tasks' primary scores have no common scale, so their mean says nothing",
            where="[train] keep_best_by",
            received=", ".join(sorted(names)),
            hint='Set keep_best_by = "loss".',
        )


def read_task(study: Study, settings: TaskSettings, *, folder: Path, strict: bool, tables: Tables | None) -> TaskAtHand:
    """Read one task's rows, and check its names."""
    inverted = inverted_of(study, settings)
    prepared = prepare(settings, seed=study.seed, folder=folder, strict=strict, inverted=inverted, tables=tables)
    declared = prepared.metrics or (("accuracy",) if prepared.choices else ("rouge", "exact_match"))
    metrics = tuple(
        metric_for(
            name,
            best_reference=settings.best_reference,
            stem=settings.stem,
            words=settings.words,
            positive=settings.positive,
        )
        for name in declared
    )
    if not prepared.choices:
        _refuse_choices(metrics, task=settings.name)
    if prepared.template.objective != "answer" and [metric.name for metric in metrics] != ["perplexity"]:
        raise SettingsError(
            "a text without a question is judged by how well its hidden part is foreseen",
            where=f"[[task]] {settings.name}, metrics",
            expected='["perplexity"]',
            received=", ".join(metric.name for metric in metrics),
        )
    names = [name for metric in metrics for name in metric.names]
    primary = prepared.primary or names[0]
    if primary not in names:
        raise SettingsError(
            f"the primary score '{primary}' is given by none of the task's metrics",
            where=f"[[task]] {settings.name}",
            expected=f"one of {', '.join(names)}",
        )
    decides = next(metric for metric in metrics if primary in metric.names)
    if reason := objection(decides, cases=len(prepared.test)):
        raise SettingsError(reason, where=f"[[task]] {settings.name}, primary")
    _refuse_too_large(settings.smallest_effect, decides, where=f"[[task]] {settings.name}, smallest_effect")
    others = _others(prepared, metric=decides.name) if settings.judge_all_wordings else OtherWordings()
    account = dict(prepared.account)
    told = notes(metrics, [reference for example in prepared.test for reference in example.references])
    account["notes"] = [*account["notes"], *told, *_told(others, decides=prepared.judged.id)]
    return TaskAtHand(
        name=settings.name,
        train=prepared.train,
        validation=prepared.validation,
        test=prepared.test,
        metrics=metrics,
        primary=primary,
        smallest_effect=settings.smallest_effect,
        decoding=study.decoding,
        too_long=settings.too_long,
        account=account,
        other_wordings=others,
    )


def _refuse_too_large(effect: float, metric: Metric, *, where: str) -> None:
    """Refuse a difference that is larger than the metric's best value."""
    if metric.name not in WITHOUT_A_SCALE and effect > (best := best_value(metric)):
        raise SettingsError(
            "no difference is as large",
            where=where,
            expected=f"at most {best:g}, the best that {metric.name} gives",
            received=f"{effect:g}",
            hint="Two points of a score from 0 to 1 are 0.02." if best == 1 else None,
        )


def _others(prepared: Prepared, *, metric: str) -> OtherWordings:
    """Return the wordings to judge besides the one that decides; an error where there is none."""
    others = other_wordings(prepared, metric=metric)
    if not others.asked:
        left_out = [f"wording '{name}': {reason}" for name, reason in others.left_out.items()]
        raise SettingsError(
            "there is one wording to judge in, and so no spread",
            where=f"[[task]] {prepared.settings.name}, judge_all_wordings",
            expected="two wordings at least that ask the same of every judged row",
            received="\n    ".join([f"'{prepared.judged.id}', which decides", *left_out]),
            hint="Give more wordings, or leave judge_all_wordings out.",
        )
    return others


def _told(others: OtherWordings, *, decides: str) -> list[str]:
    """Return what a person should know of the wordings: which are judged, and which are not and why."""
    if not others.asked:
        return []
    besides = ", ".join(f"'{name}'" for name in others.asked)
    judged = f"judged in {len(others.asked) + 1} wordings: '{decides}', which decides, and {besides}"
    return [judged, *others.told]


def _refuse_choices(metrics: Iterable[Metric], *, task: str) -> None:
    """Refuse metrics of choices, for a task that has none."""
    for metric in metrics:
        if metric.name in NEED_CHOICES | NEED_LIKELIHOODS:
            raise SettingsError(
                f"{metric.name} judges choices, and the task has none",
                where=f"[[task]] {task}",
                hint='Name them, as choices = ["yes", "no"]; or the answer alone, choices = "{{ [answer] }}", '
                "for its perplexity.",
            )
