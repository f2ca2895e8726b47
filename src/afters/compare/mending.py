"""Learned against kept: the plain run, what it was on its way, and each cure, on the same rows.

Whoever stops earlier learns less and loses less. So the plain run's own checkpoints are the control: a cure is worth
its name where it has learned more than the plain run had when it had kept as much. Where none of them stands between
the base and the end, nobody knows what fewer steps would have done, and nothing lies above.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from afters.compare.cures import Cure, CureKind, has_control
from afters.compare.finding import WITHOUT_A_SCALE
from afters.compare.kept import Kept
from afters.compare.resample import Array
from afters.compare.resampled import resampled, with_ends
from afters.compare.rows import Difference
from afters.metrics.metric import Metric
from afters.records import Result


class Judged(NamedTuple):
    """One model, and what it answered."""

    name: str
    kind: CureKind
    strength: float
    chosen: bool
    result: Result
    """On the first task's judged rows."""
    kept_results: Mapping[str, Result]
    """On what must not be lost, by task."""
    kept: Sequence[Kept]
    """The same, held against the base's."""


def mended(
    base: Result,
    kept_base: Mapping[str, Result],
    models: Sequence[Judged],
    metric: Metric,
    *,
    score: str,
    kept_metrics: Mapping[str, tuple[Metric, str]],
    seed: int = 0,
) -> tuple[Cure, ...]:
    """Set every model's gain against what it kept.

    Args:
        base: the base's answers to the first task.
        kept_base: the base's answers to what must not be lost, by task.
        models: the plain run's model first, then its checkpoints and the cures.
        metric: what observed the first task.
        score: the first task's primary score.
        kept_metrics: for each kept task what observed it, and the score that decides.
        seed: of the resamples.
    """
    assert models[0].kind == "plain"
    gains = _gains([base, *(one.result for one in models)], metric, score=score, seed=seed)
    on_a_scale = [
        _gains([kept_base[task], *(one.kept_results[task] for one in models)], of, score=name, seed=seed)
        for task, (of, name) in kept_metrics.items()
        if of.name not in WITHOUT_A_SCALE
    ]
    # Without a score on a scale nobody can say where a model would lie on the line.
    changes = np.mean(on_a_scale, axis=0) if on_a_scale else np.full_like(gains, math.nan)
    control = [place for place, one in enumerate(models, start=1) if one.kind in ("plain", "checkpoint")]
    line = [0, *control]
    beyond = [gain - _along(change, changes[line], gains[line]) for gain, change in zip(gains, changes, strict=True)]
    above = beyond if has_control(models) else np.full_like(beyond, math.nan)
    return tuple(
        Cure(
            one.name,
            one.kind,
            one.strength,
            learned=with_ends(gains[place]),
            share=_share(gains[place], gains[1]),
            change=with_ends(changes[place]),
            above=with_ends(above[place]),
            kept=tuple(kept.task for kept in one.kept if kept.word in ("kept", "kept_with_a_loss")),
            lost=tuple(kept.task for kept in one.kept if kept.word == "lost"),
            chosen=one.chosen,
            tasks=len(one.kept),
        )
        for place, one in enumerate(models, start=1)
    )


def _gains(results: Sequence[Result], metric: Metric, *, score: str, seed: int) -> Array:
    """Return by how much each Result is better than the first, as observed and in every resample."""
    scores = resampled(results, metric, score=score, seed=seed)
    gains: Array = scores - scores[0] if metric.direction == "higher" else scores[0] - scores
    return gains


def _along(at: Array, changes: Array, gains: Array) -> Array:
    """Return what the control had gained where its change was as `at`; beyond its ends, what it had there.

    Of points with the same change the one that has gained most counts: it is what was to be had at that price.

    Args:
        at: shape (replicates,).
        changes: of the control's points, shape (points, replicates).
        gains: of the same.
    """
    order = np.lexsort((gains, changes), axis=0)
    xs, ys = np.take_along_axis(changes, order, axis=0), np.take_along_axis(gains, order, axis=0)
    best = np.append(np.diff(xs, axis=0) != 0, np.ones((1, xs.shape[1]), dtype=bool), axis=0)  # the last of equal ones
    columns = zip(at, xs.T, ys.T, best.T, strict=True)
    return np.array([np.interp(x, of_x[keep], of_y[keep]) for x, of_x, of_y, keep in columns])


def _share(gains: Array, plain: Array) -> Difference:
    """Return a gain beside the plain run's; nan where that is not proven, since there is nothing to have a share of."""
    if not with_ends(plain).low > 0:
        return Difference(math.nan, math.nan, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return with_ends(gains / plain)
