"""Two sides that lie on disk become Comparisons: aligned, checked, scored alike, and put through the same tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afters.compare.alike import Kind
from afters.compare.change import compare, with_corrections
from afters.compare.recipe import compare_recipes, name_of
from afters.errors import (
    ComparisonRefused,
    DataError,
    InputError,
    SettingsError,
    collected,
    nearest,
    raise_together,
    unknown,
)
from afters.metrics.metric import Metric
from afters.metrics.table import METRICS
from afters.records import Comparison, Result
from afters.report.told import Told
from afters.sides.agree import check_rows
from afters.sides.column import Column
from afters.sides.find import open_sides
from afters.sides.lend import lend_clusters, lend_references
from afters.sides.runs import RunSide
from afters.sides.scoring import metric_of, scored, spelled
from afters.sides.side import Side


def compare_sides(
    before: Sequence[Path | str],
    after: Sequence[Path | str] = (),
    *,
    metrics: Sequence[str] = (),
    smallest_effect: float | None = None,
    lower_is_better: Sequence[str] = (),
    seed: int = 0,
) -> Told:
    """Compare results that lie on disk, and return what a report may tell of them.

    Args:
        before: a run folder, a prediction file, or lm-eval's samples; several are the seeds of one recipe. A run
            folder gives its result "after"; `runs/chats:shots=2` names another.
        after: the other side. Without one, a run folder's own "before" and "after" are compared.
        metrics: scores, metrics, or columns of numbers: the first decides, the others explore. A run has its own.
        smallest_effect: the smallest difference that matters; None for what the runs' studies declared.
        lower_is_better: columns of which less is better, where their name does not say so.
        seed: of the resamples.

    Raises:
        InputError: a side that cannot be read, an unknown score, or two sides that do not answer the same questions.
    """
    first, last = open_sides(before, after)
    tasks = _common_tasks([*first, *last])
    found = [
        _task(first, last, task, metrics=metrics, effect=smallest_effect, lower=lower_is_better, seed=seed)
        for task in tasks
    ]
    comparisons = [comparison for one in found for comparison in one.comparisons]
    ordered = sorted(with_corrections(comparisons), key=lambda comparison: not comparison.primary)
    return Told(
        name=f"{name_of(found[0].before)} to {name_of(found[0].after)}",
        results=tuple(result for one in found for result in _results(one)),
        comparisons=tuple(ordered),
        primary=ordered[0].metric,
        metric=found[0].metrics[0],
        not_measured=_not_measured(found, [*first, *last], tasks),
    )


class _Found(NamedTuple):
    """One task, compared."""

    before: list[Result]
    after: list[Result]
    metrics: list[Metric]
    """What gives each score, the one that decides first."""
    comparisons: list[Comparison]
    lent: tuple[str, ...]
    """Whose references and clusters the others were given, where they have none of their own."""


def _task(
    first: Sequence[Side],
    last: Sequence[Side],
    task: str,
    *,
    metrics: Sequence[str],
    effect: float | None,
    lower: Sequence[str],
    seed: int,
) -> _Found:
    """Compare one task by every score that is asked for."""
    sides = [*first, *last]
    columns = [name for name in sides[0].columns(task) if all(name in side.columns(task) for side in sides)]
    _require_everywhere(metrics, sides, task)
    names = spelled(metrics or _offered(sides, task), columns=columns)
    if odd := next((name for name in lower if name not in columns), None):
        raise SettingsError(unknown("column", odd, columns), where="--lower-is-better")
    results, lent = _agreed(sides, _read(sides, task, names), judging=not set(names) <= set(columns))
    options = {side.name: said for side in sides if (said := side.options(task)) is not None}
    made: dict[str, Metric] = {}
    for name in names:
        shared = (metric for metric in made.values() if name in metric.names and name not in columns)
        made[name] = next(shared, None) or metric_of(
            name, results, columns=columns, lower=True if name in lower else None, options=options
        )
    for metric in {id(metric): metric for metric in made.values()}.values():
        results = [scored(result, metric, names=names, seed=seed) for result in results]
    before, after = results[: len(first)], results[len(first) :]
    least = _declared_effect(sides, task, names[0]) if effect is None else effect
    kind = _kind(sides, before[0], after[0])
    found = [
        _compared(
            before, after, made[name], score=name, kind=kind, effect=least if name == names[0] else None, seed=seed
        )
        for name in names
    ]
    return _Found(before, after, list(made.values()), found, lent)


def _compared(
    before: Sequence[Result],
    after: Sequence[Result],
    metric: Metric,
    *,
    score: str,
    kind: Kind,
    effect: float | None,
    seed: int,
) -> Comparison:
    """Compare by one score. The one that decides has an effect that matters, if only 0; one that explores has none."""
    primary, least = effect is not None, effect or 0.0
    if len(before) == len(after) == 1:
        one, other = before[0], after[0]
        return compare(one, other, metric, score=score, kind=kind, primary=primary, smallest_effect=least, seed=seed)
    return compare_recipes(before, after, metric, score=score, kind=kind, primary=primary, smallest_effect=least)


def _read(sides: Sequence[Side], task: str, names: Sequence[str]) -> list[Result]:
    """Return each side's Result under the side's name; what is wrong with any of them is told together."""
    results: list[Result] = []
    problems: list[InputError] = []
    for side in sides:
        with collected(problems):
            results.append(replace(side.result(task, scores=names), label=side.name))
    raise_together(problems)
    return results


def _common_tasks(sides: Sequence[Side]) -> list[str]:
    """Return the tasks that every side has, in the first one's order."""
    common = [task for task in sides[0].tasks if all(task in side.tasks for side in sides)]
    if common:
        return common
    raise ComparisonRefused(
        "no task in common",
        where=" against ".join(dict.fromkeys(side.name for side in sides)),
        expected=", ".join(sides[0].tasks),
        received=", ".join(dict.fromkeys(task for side in sides[1:] for task in side.tasks)),
        hint="lm-eval's files are known by their names: samples_TASK_TIME.jsonl.",
    )


def _offered(sides: Sequence[Side], task: str) -> tuple[str, ...]:
    """Return the scores to compare by when none is named: those that every side has, if one of them decides.

    Raises:
        SettingsError: none does; whoever compares must say which, before looking at the numbers.
    """
    offered = sides[0].offers(task)
    common = tuple(name for name in offered if all(name in side.offers(task) for side in sides))
    if common and common[0] == offered[0]:
        return common
    known = dict.fromkeys(name for side in sides for name in (*side.offers(task), *side.columns(task)))
    raise SettingsError(
        f"no --metric, and nothing in {sides[0].name} says which score decides",
        expected=f"one of its own ({', '.join(known) or 'none'}), or one of {', '.join(METRICS)}",
        hint="The first --metric decides; name others to explore.",
    )


def _require_everywhere(metrics: Sequence[str], sides: Sequence[Side], task: str) -> None:
    """Refuse a column that only some sides have, unless a metric of that name can judge the answers instead."""
    for name in metrics:
        having = [side.name for side in sides if name in side.columns(task)]
        lacking = [side for side in sides if name not in side.columns(task)]
        if having and lacking and not any(name in make().names for make in METRICS.values()):
            there = ", ".join(lacking[0].columns(task)) or "none"
            guess = nearest(name, lacking[0].columns(task))
            raise DataError(
                f"no column '{name}'",
                where=lacking[0].name,
                expected=f"a number for each row under '{name}', as {having[0]} has",
                received=f"columns of numbers: {there}",
                hint=f"Is it '{guess}'? Then rename it." if guess else None,
            )


def _agreed(sides: Sequence[Side], results: list[Result], *, judging: bool) -> tuple[list[Result], tuple[str, ...]]:
    """Check files row by row; lend what only some of them carry to the others, and tell of it.

    References are lent only where answers are judged by them.
    """
    if all(isinstance(side, RunSide) for side in sides):
        return results, ()
    for one, other in combinations(results, 2):  # the first may have nothing that two others differ in
        check_rows(one, other)
    if len(set(map(type, sides))) > 1:  # told apart by other means in each, so not comparable
        results = [replace(result, identity=_without(result, "dataset")) for result in results]
    results, of_references = lend_references(results) if judging else (results, "")
    results, of_clusters = lend_clusters(results)
    return results, tuple(filter(None, (of_references, of_clusters)))


def _without(result: Result, key: str) -> dict[str, str]:
    return {name: value for name, value in result.identity.items() if name != key}


def _declared_effect(sides: Sequence[Side], task: str, score: str) -> float:
    """Return the smallest effect that the studies declared of the score, 0 where none did.

    Raises:
        SettingsError: they declared different ones.
    """
    declared = [one for side in sides if (one := side.declared(task)) and one.primary == score]
    effects = sorted({one.smallest_effect for one in declared})
    if len(effects) > 1:
        raise SettingsError(
            f"the studies declared different smallest effects of {score}",
            expected="one",
            received=" and ".join(f"{effect:g}" for effect in effects),
            hint="Say which with --smallest-effect.",
        )
    return effects[0] if effects else 0.0


def _kind(sides: Sequence[Side], before: Result, after: Result) -> Kind:
    """Return what differs, as far as one can see: nothing but weights, unless a label or the shots say more."""
    if any(isinstance(side, RunSide) and side.label == "nearest" for side in sides):
        return "baseline"
    shots = {result.identity.get("shots") for result in (before, after)}
    return "prompting" if len(shots - {None}) > 1 else "tuning"


def _results(found: _Found) -> list[Result]:
    """Return the Results of a task, and before them what stands for a side of several runs: the runs' mean."""
    sides = [_mean(side) for side in (found.before, found.after) if len(side) > 1]
    return [*sides, *found.before, *found.after]


def _mean(runs: Sequence[Result]) -> Result:
    """Return a Result that tells of several runs only what their scores are on average."""
    scores = tuple(
        replace(one, value=float(np.mean([run.score(one.name).value for run in runs])), low=None, high=None)
        for one in runs[0].scores
    )
    return Result(name_of(runs), runs[0].task, {}, (), {}, scores)


def _not_measured(found: Sequence[_Found], sides: Sequence[Side], tasks: Sequence[str]) -> tuple[str, ...]:
    told = ["How the answers came about: they were taken as they lie on disk."]
    told += dict.fromkeys(line for one in found for line in one.lent)
    if alone := sorted({task for side in sides for task in side.tasks} - set(tasks)):
        told.append(f"Tasks that not every side has: {', '.join(alone)}.")
    columns = [metric for one in found for metric in one.metrics if isinstance(metric, Column)]
    for metric in {metric.name: metric for metric in columns}.values():
        told.append(f"Which way is better: {metric.direction} values of {metric.name} were taken to be.")
    if len(sides) == 2:
        told.append("Other seeds: the verdict speaks of this one tuned model, not of the recipe that made it.")
    return tuple(told)
