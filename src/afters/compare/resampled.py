"""Several Results of the same Cases, resampled together: what they share cancels in every difference of theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from afters.compare.forgetting import best_value
from afters.compare.paired import align, statistic
from afters.compare.resample import Array, sum_by_cluster
from afters.compare.rows import Difference
from afters.metrics.metric import Metric, SampleMetric
from afters.records import Result
from afters.seeds import stream

REPLICATES: Final = 2_000
"""Resamples: the ends of a 95 % interval are then good to about a twentieth of its width."""


def resampled(results: Sequence[Result], metric: Metric, *, score: str, seed: int) -> Array:
    """Return every Result's score as observed, then in every resample of the clusters, on a scale from 0 to 1.

    Args:
        results: of one task, on the same Cases.
        metric: what observed them.
        score: one of its names.
        seed: of the resamples; tasks of other names are resampled otherwise.

    Returns:
        Shape (results, 1 + replicates).

    Raises:
        ComparisonRefused: too few Cases could be judged in all of them.
    """
    task = results[0].task
    aligned = align(results, metric, where=f"{task}, {metric.name}")
    clusters = int(aligned.clusters.max()) + 1
    drawn = stream(seed, "resampled", task).multinomial(clusters, np.full(clusters, 1 / clusters), size=REPLICATES)
    weights = np.vstack([np.ones(clusters), drawn])
    of_score = statistic(metric, score=score)
    if isinstance(metric, SampleMetric):
        counts, place = weights[:, aligned.clusters], metric.names.index(score)
        scores = [metric.from_counts(rows, counts)[:, place] for rows in aligned.rows]
    else:
        scores = [of_score(weights @ sum_by_cluster(rows, aligned.clusters)) for rows in aligned.rows]
    return np.array(scores) / best_value(metric)


def with_ends(values: Array) -> Difference:
    """Return the observed value, which is the first, with the 95 % interval of the others."""
    if not np.isfinite(values[1:]).any():
        return Difference(float(values[0]), math.nan, math.nan)
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return Difference(float(values[0]), float(low), float(high))
