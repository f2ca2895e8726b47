"""Intervals: of a mean over clusters, of a corpus score, of a proportion, of a difference of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from afters.compare.resample import Array, Statistic, bootstrap
from afters.metrics.metric import SampleMetric

FEW_CLUSTERS: Final = 50
"""Below it a percentile bootstrap is too narrow, and Student's t is used."""


_CELLS: Final = 1 << 22
"""Cells of a matrix of samples that are held in memory at once."""


class Interval(NamedTuple):
    """An interval, and the name of its method."""

    low: float
    high: float
    method: str


def mean_interval(values: Array, *, confidence: float, seed: int) -> Interval:
    """Return the interval of the mean of one number for each cluster.

    Student's t with C - 1 degrees of freedom below 50 clusters, the percentile bootstrap from there on.
    """
    return ratio_interval(np.column_stack([values, np.ones_like(values)]), confidence=confidence, seed=seed)


def ratio_interval(totals: Array, *, confidence: float, seed: int) -> Interval:
    """Return the interval of a mean over Cases, whose totals are (sum, Cases) for each cluster.

    Below 50 clusters Student's t with the standard error of clustered sampling (Miller, arXiv 2411.00640):
    sqrt(C / (C - 1) * sum_c (S_c - n_c * mean)^2) / n.
    """
    clusters = len(totals)
    if clusters >= FEW_CLUSTERS:
        return percentile_interval(bootstrap([totals], _ratio, seed=seed), confidence=confidence)
    total, cases = totals.sum(axis=0).tolist()
    residuals = totals[:, 0] - totals[:, 1] * total / cases
    spread = math.sqrt(clusters / (clusters - 1) * float(residuals @ residuals)) / cases
    half = float(stats.t.ppf((1 + confidence) / 2, clusters - 1)) * spread
    return Interval(total / cases - half, total / cases + half, f"Student's t, {clusters} clusters")


def corpus_interval(sides: Sequence[Array], score: Statistic, *, confidence: float, seed: int) -> Interval:
    """Return the interval of a corpus score, or of the last side's less the first's; each side is totals of clusters.

    Below 50 clusters Student's t with the standard error of the jackknife (Tukey, 1958): a percentile bootstrap of 30
    holds the truth in 91 to 93 of 100 studies, this in 95 (docs/how-sure.md).
    """
    clusters = len(sides[0])
    if clusters >= FEW_CLUSTERS:
        return percentile_interval(bootstrap(sides, score, seed=seed), confidence=confidence)
    (whole, values), *others = [pseudo_values(totals, score) for totals in reversed(sides)]
    for other, less in others:
        whole, values = whole - other, values - less
    half = float(stats.t.ppf((1 + confidence) / 2, clusters - 1)) * float(values.std(ddof=1)) / math.sqrt(clusters)
    return Interval(whole - half, whole + half, f"Student's t of the jackknife, {clusters} clusters")


def pseudo_values(totals: Array, score: Statistic) -> tuple[float, Array]:
    """Return a corpus score, and what each of C clusters says of it: C times the score less C - 1 times one without."""
    clusters, everything = len(totals), totals.sum(axis=0, keepdims=True)
    whole = float(score(everything)[0])
    return whole, clusters * whole - (clusters - 1) * score(everything - totals)


def pseudo_values_of_sample(
    rows: Array, clusters: NDArray[np.intp], metric: SampleMetric, *, score: str
) -> tuple[float, Array]:
    """Return the same of a score that is no function of totals; `rows` are Cases', `clusters` number theirs from 0."""
    count, place = int(clusters.max()) + 1, metric.names.index(score)
    whole = float(metric.from_counts(rows, np.ones((1, len(rows))))[0, place])
    some = max(1, _CELLS // len(rows))
    without = [
        metric.from_counts(rows, (clusters != np.arange(start, min(start + some, count))[:, None]).astype(np.float64))
        for start in range(0, count, some)
    ]
    return whole, count * whole - (count - 1) * np.concatenate(without)[:, place]


def percentile_interval(scores: Array, *, confidence: float) -> Interval:
    """Return the middle part of a bootstrap's scores, or of its differences of scores."""
    low, high = np.quantile(scores, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Interval(low, high, "percentile bootstrap over clusters")


def centred(scores: Array, *, at: float) -> Array:
    """Return a bootstrap's scores moved so that their mean is what was observed.

    Resampled Cases put noise of their own into ranks and bins, which lifts a calibration error by about
    share * (1 - share) / Cases for each bin; the difference of two by the difference of that.
    """
    return np.asarray(scores - scores.mean() + at, dtype=np.float64)


def wilson_interval(right: int, *, cases: int, confidence: float) -> Interval:
    """Return Wilson's score interval of a proportion (Journal of the American Statistical Association 22, 1927)."""
    z = _z(confidence)
    share, weight = right / cases, 1 + z * z / cases
    middle = (share + z * z / (2 * cases)) / weight
    half = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases)) / weight
    return Interval(max(0.0, middle - half), min(1.0, middle + half), "Wilson score")


def tango_interval(better: int, worse: int, *, cases: int, confidence: float) -> Interval:
    """Return Tango's score interval of a difference of paired proportions (Statistics in Medicine 17, 1998).

    It holds every difference that a score test does not refuse, and stays right with few discordant pairs, or none.
    """
    z, difference = _z(confidence), (better - worse) / cases

    def beyond(delta: float, bound: float) -> float:
        return _tango_statistic(delta, better=better, worse=worse, cases=cases) - bound

    # At -1 and 1 themselves the variance vanishes.
    edge = 1 - 1e-12
    low = -1.0 if difference == -1 else float(optimize.brentq(beyond, -edge, difference, args=(z,)))
    high = 1.0 if difference == 1 else float(optimize.brentq(beyond, difference, edge, args=(-z,)))
    return Interval(low, high, "Tango score")


def _tango_statistic(delta: float, *, better: int, worse: int, cases: int) -> float:
    """Return how many standard errors the observed difference lies above `delta`.

    The variance is that of the most likely proportions whose difference is `delta`.
    """
    distance = better - worse - cases * delta
    linear = (2 * cases - better + worse) * delta - better - worse
    constant = -worse * delta * (1 - delta)
    share = (math.sqrt(max(linear * linear - 8 * cases * constant, 0.0)) - linear) / (4 * cases)
    variance = cases * (2 * share + delta * (1 - delta))
    return distance / math.sqrt(variance) if distance else 0.0


def further_out(several: int, *, confidence: float) -> float:
    """Return how many times as wide a normal interval must be so that all of `several` hold their truth together."""
    return _z(1 - (1 - confidence) / several) / _z(confidence)


def _ratio(totals: Array) -> Array:
    return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)


def _z(confidence: float) -> float:
    return float(stats.norm.ppf((1 + confidence) / 2))
