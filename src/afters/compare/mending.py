"""Learned against kept: the plain run, what it was on its way, and each cure, on the same rows.

Whoever stops earlier learns less and loses less. So the plain run's own checkpoints are the control: a cure is worth
its name where it has learned more than the plain run had when it had kept as much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from afters.compare.cures import Cure, CureKind
from afters.compare.forgetting import OUT_OF_HUNDRED, WITHOUT_A_SCALE
from afters.compare.kept import Kept
from afters.compare.paired import align, statistic
from afters.compare.resample import Array, sum_by_cluster
from afters.compare.rows import Difference
from afters.metrics.metric import Metric
from afters.records import Result
from afters.seeds import stream

REPLICATES = 2_000
"""Resamples: the ends of a 95 % interval are then good to about a twentieth of its width."""


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
    gains = _gains([base, *(one.result for one in models)], metric, score=score, seed=seed, task=base.task)
    on_a_scale = [
        _gains([kept_base[task], *(one.kept_results[task] for one in models)], of, score=name, seed=seed, task=task)
        for task, (of, name) in kept_metrics.items()
        if of.name not in WITHOUT_A_SCALE
    ]
    changes = np.mean(on_a_scale, axis=0) if on_a_scale else np.zeros_like(gains)
    control = [place for place, one in enumerate(models, start=1) if one.kind in ("plain", "checkpoint")]
    line = [0, *control]
    return tuple(
        Cure(
            one.name,
            one.kind,
            one.strength,
            learned=_with_ends(gains[place]),
            share=_share(gains[place], gains[1]),
            change=_with_ends(changes[place]),
            above=_with_ends(gains[place] - _along(changes[place], changes[line], gains[line])),
            kept=tuple(kept.task for kept in one.kept if kept.word in ("kept", "kept_with_a_loss")),
            lost=tuple(kept.task for kept in one.kept if kept.word == "lost"),
            chosen=one.chosen,
            tasks=len(one.kept),
        )
        for place, one in enumerate(models, start=1)
    )


def _gains(results: Sequence[Result], metric: Metric, *, score: str, seed: int, task: str) -> Array:
    """Return by how much each Result is better than the first, as observed and in every resample of the clusters.

    Returns:
        Shape (results, 1 + replicates), on the scale from 0 to 1.
    """
    aligned = align(results, metric, where=f"mending, {task}")
    totals = [sum_by_cluster(rows, aligned.clusters) for rows in aligned.rows]
    clusters = len(totals[0])
    counts = stream(seed, "mending", task).multinomial(clusters, np.full(clusters, 1 / clusters), size=REPLICATES)
    weights = np.vstack([np.ones(clusters), counts])
    of_score = statistic(metric, score=score)
    scores = np.array([of_score(weights @ one) for one in totals])
    sign = 1.0 if metric.direction == "higher" else -1.0
    gains: Array = sign * (scores - scores[0]) / (100 if metric.name in OUT_OF_HUNDRED else 1)
    return gains


def _along(at: Array, changes: Array, gains: Array) -> Array:
    """Return what the control had gained where its change was as `at`; beyond its ends, what it had there.

    Args:
        at: shape (replicates,).
        changes: of the control's points, shape (points, replicates).
        gains: of the same.
    """
    order = np.argsort(changes, axis=0, kind="stable")
    xs, ys = np.take_along_axis(changes, order, axis=0), np.take_along_axis(gains, order, axis=0)
    return np.array([np.interp(x, xs[:, place], ys[:, place]) for place, x in enumerate(at)])


def _share(gains: Array, plain: Array) -> Difference:
    """Return a gain beside the plain run's; nan where that is not proven, since there is nothing to have a share of."""
    if not _with_ends(plain).low > 0:
        return Difference(math.nan, math.nan, math.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _with_ends(gains / plain)


def _with_ends(values: Array) -> Difference:
    """Return the observed value, which is the first, with the 95 % interval of the others."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return Difference(float(values[0]), float(low), float(high))
