"""Which metric gives a score, and what a Result that lies on disk is worth by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from afters.compare.change import interval
from afters.errors import ComparisonRefused, DataError, SettingsError, unknown
from afters.evaluate import score
from afters.metrics.metric import Metric, reduce
from afters.metrics.table import METRICS, metric_for
from afters.records import Result, Score
from afters.sides.column import Column
from afters.sides.side import Options

USUAL: Final[tuple[Options, ...]] = ({}, {"best_reference": True})
"""What to try where no study says how its metrics count."""

ANEW: Final = (
    "Set the task's `best_reference`, `stem`, `words` and `positive` alike, and have the answers scored anew by one "
    "version of everything: `afters evaluate MODEL STUDY.toml`. Or name other scores with --metric."
)
"""What to do about scores that are not counted alike."""


def spelled(names: Sequence[str], *, columns: Sequence[str]) -> list[str]:
    """Return the scores that are asked for, a metric's name standing for all of its scores, none twice.

    Raises:
        SettingsError: a name that is no score, no metric and no column.
    """
    found: list[str] = []
    for name in names:
        if name in columns:
            found.append(name)
        elif name in METRICS:
            scores = metric_for(name).names
            found += [name] if name in scores else scores
        elif any(name in make().names for make in METRICS.values()):
            found.append(name)
        else:
            known = {*METRICS, *(score for make in METRICS.values() for score in make().names), *columns}
            raise SettingsError(unknown("metric or column", name, known))
    return list(dict.fromkeys(found))


def metric_of(
    name: str,
    results: Sequence[Result],
    *,
    columns: Sequence[str],
    lower: bool | None,
    options: Mapping[str, Options] | None = None,
) -> Metric:
    """Return what gives a score: a column that every side carries, or the metric that the Results were judged by.

    Where none of them was judged by it, it has the options of their studies, and is as it is where there is no study.

    Args:
        name: of the score.
        results: of all sides, under their names.
        columns: that every side carries.
        lower: of a column, whether less is better; None to go by its name.
        options: what the sides' studies say of how metrics count, by the sides' names.

    Raises:
        ComparisonRefused: two sides were judged by metrics of different signatures, or all by one that no study's
            settings make here.
    """
    if name in columns:
        return Column(name, lower=lower)
    said = options or {}
    made = [metric_for(name, **one) for one in (*said.values(), *USUAL)]
    metric = made[0].name
    asked = {side: one.signature for side, one in zip(said, made, strict=False)}
    judged = {result.label: one.signature for result in results for one in result.scores if one.metric == metric}
    meant = judged or asked
    found = next((one for one in made if set(meant.values()) <= {one.signature}), None)
    if found is None:
        raise _unlike(metric, meant, asked=asked)
    return found


def _unlike(metric: str, signatures: Mapping[str, str], *, asked: Mapping[str, str]) -> ComparisonRefused:
    """Return why scores of these signatures, by side, are not compared; `asked` are those that the studies ask for."""
    side, signature = next(iter(signatures.items()))
    if other := next((one for one in signatures if signatures[one] != signature), None):
        return ComparisonRefused(
            f"{metric} is not counted alike on every side",
            where=f"{side} against {other}",
            expected=f"{signature} ({side})",
            received=f"{signatures[other]} ({other})",
            hint=ANEW,
        )
    return ComparisonRefused(
        f"{side} was judged by a {metric} that its settings do not make here",
        where=side,
        expected=f"{asked.get(side, metric_for(metric).signature)} (its settings, in this version)",
        received=f"{signature} (its scores)",
        hint=ANEW,
    )


def scored(result: Result, metric: Metric, *, names: Sequence[str], seed: int) -> Result:
    """Return the Result with these scores of the metric and their intervals; answers not judged by it are judged.

    Raises:
        DataError: a Case without an answer or a reference to judge it by.
    """
    judged = {one.metric: one.signature for one in result.scores}
    if isinstance(metric, Column) or judged.get(metric.name) == metric.signature:
        made = _reduced(result, metric)
    else:
        _require_texts(result, metric)
        again = score(result.cases, [metric], label=result.label, task=result.task, identity=result.identity)
        made = replace(result, rows={**result.rows, **again.rows}, scores=again.scores)
    ends: Mapping[str, tuple[float, float]] = interval(made, metric, seed=seed)
    kept = [one for one in made.scores if one.metric == metric.name and one.name in names]
    known = [replace(one, low=ends[one.name][0], high=ends[one.name][1]) if one.name in ends else one for one in kept]
    others = [one for one in result.scores if one.metric != metric.name]
    return replace(made, scores=(*others, *known))


def _reduced(result: Result, metric: Metric) -> Result:
    """Return the Result with the scores that its rows make."""
    rows = result.rows[metric.name]
    judged = [row for row in rows if row is not None]
    values = np.array([row[0] for row in judged])
    kind = "case" if metric.kind == "binary" and not np.isin(values, (0.0, 1.0)).all() else metric.kind
    scores = tuple(
        Score(
            name=name,
            metric=metric.name,
            value=value,
            kind=kind,
            direction=metric.direction,
            judged=len(judged),
            unjudged=len(rows) - len(judged),
            signature=metric.signature,
            chance=metric.chance,
        )
        for name, value in reduce(metric, rows).items()
    )
    others = tuple(one for one in result.scores if one.metric != metric.name)
    return replace(result, scores=(*others, *scores))


def _require_texts(result: Result, metric: Metric) -> None:
    for case in result.cases:
        lacking = "" if all(one.answers for one in case.predictions) else "answer"
        lacking = lacking or ("" if all(one.references for one in case.examples) else "reference")
        if lacking:
            raise DataError(
                f"no {lacking} to judge by {metric.name}",
                where=case.examples[0].source,
                expected=f"an answer and a reference in every row of {result.label}",
                received=f"no {lacking}",
                hint="Or name a column of numbers, which both files carry, with --metric.",
            )
