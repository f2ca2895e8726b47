"""Several runs of a side: what may be said of a recipe, and not only of the checkpoints that it happened to make.

Seeds lie within their side and meet the same Cases, so both differ by chance: another seed would make another
checkpoint, and other Cases would ask it other things. See design/seeds-and-cases.md for the model and its limits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from afters.compare.alike import Kind, check
from afters.compare.change import Compared, concluded, empty_answers
from afters.compare.finding import Finding, reach_of, refuse_undefined, with_unseen
from afters.compare.intervals import Interval, pseudo_values, pseudo_values_of_sample
from afters.compare.paired import NOISE, align, flips, rows_by_id, statistic
from afters.compare.resample import Array, Statistic, collapse, least_clusters, sum_by_cluster
from afters.compare.significance import Significance
from afters.compare.sizes import POWER
from afters.compare.verdict import decided
from afters.errors import ComparisonRefused
from afters.metrics.metric import Metric, SampleMetric
from afters.records import Case, Comparison, Result

DOUBT: Final = 0.3
"""How often a run variance lies above the bound that the degrees of freedom are reckoned with.

With three seeds a side the plain estimate is too small so often that 95 % intervals hold the truth 92 % of the time;
with this bound at least 93.8 % (design/seeds-and-cases.md).
"""


class Crossed(NamedTuple):
    """How much chance there is in a difference of two recipes."""

    variance: float
    freedom: float
    """Satterthwaite's degrees of freedom."""
    of_seeds: float
    """The part of the variance that more Cases do not lower."""


def compare_recipes(
    before: Sequence[Result],
    after: Sequence[Result],
    metric: Metric,
    *,
    score: str,
    kind: Kind,
    primary: bool,
    smallest_effect: float = 0.0,
    margin: float | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Compare the runs of two recipes, a seed each, by one score of a metric.

    A side of one run is that checkpoint, whose own seed adds no chance. A score that is no mean over Cases is
    compared by its jackknife pseudo-values (Tukey, 1958), which are.

    Args:
        before: one run or several of the recipe to start from.
        after: one run or several of the other, on the same Cases.
        metric: what observed all of them.
        score: one of the metric's names, as `rouge1`.
        kind: what may differ between the sides; see `compare`.
        primary: whether this is the task's one declared comparison.
        smallest_effect: the smallest difference that matters, declared beforehand.
        margin: the largest difference that does not matter; None for `smallest_effect`.
        confidence: of the interval; the test is held to 1 - confidence.

    Raises:
        ComparisonRefused: the runs do not answer the same question, one stands on its side twice, or too few Cases
            could be judged in all.
        SettingsError: the metric has no such score.
    """
    assert len(before) + len(after) > 2, "two single runs are compared by `compare`"
    not_checked = _check(before, after, metric, kind=kind)
    for side in (before, after):
        _refuse_copies(side, metric)
    of_score = statistic(metric, score=score)
    together = [*before, *after]
    runs, clusters, unjudged = align(together, metric, where=f"{name_of(together)}, {metric.name}")
    sides = runs[: len(before)], runs[len(before) :]
    (first, of_first), (last, of_last) = (_by_cluster(side, clusters, metric, score=score) for side in sides)
    refuse_undefined(of_first, of_last)
    found = _find(
        (float(first.mean()), float(last.mean())), of_first, of_last, effect=smallest_effect, confidence=confidence
    )
    changed = flips(*(_case_scores(side, of_score) for side in sides), direction=metric.direction)
    comparison = concluded(
        found,
        Compared(len(clusters), int(clusters.max()) + 1, unjudged, *changed),
        task=before[0].task,
        metric=score,
        kind=kind,
        before=name_of(before),
        after=name_of(after),
        primary=primary,
        direction=metric.direction,
        confidence=confidence,
        smallest_effect=smallest_effect,
        not_checked=not_checked,
        before_seeds=len(before),
        after_seeds=len(after),
        before_empty=sum(map(empty_answers, before)),
        after_empty=sum(map(empty_answers, after)),
    )
    return decided(comparison, margin=margin)


def name_of(runs: Sequence[Result]) -> str:
    """Return what a side is called: its runs' labels."""
    return ", ".join(run.label for run in runs)


def crossed(before: Array, after: Array) -> Crossed:
    """Return the variance of the difference of two sides' means, both of shape (runs, clusters).

    The difference is the mean of `after` less that of `before`. With I runs of a side and C clusters its variance is

        sum over sides of S_runs / I  +  max(0, S_change / C - sum over sides of S_rest / (I C)),

    S_runs the variance of the runs' means, S_change that between clusters of what the sides' means differ by, and
    S_rest that of what is left of a side's numbers without its run's and its cluster's mean. So is a two-way table
    with random rows and columns taken apart: as readers and cases in Hillis, "A comparison of denominator degrees of
    freedom methods for multiple observer ROC analysis", Statistics in Medicine 26, 2007, but with runs nested in
    sides. The degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).
    """
    clusters = before.shape[1]
    sides = [side for side in (before, after) if len(side) > 1]
    of_runs = [float(side.mean(axis=1).var(ddof=1)) / len(side) for side in sides]
    rest = [_rest(side) / (len(side) * clusters) for side in sides]
    change = after.mean(axis=0) - before.mean(axis=0)
    of_cases = max(0.0, float(change.var(ddof=1)) / clusters - sum(rest))
    freedoms = [len(side) - 1 for side in sides]
    # A run variance of two or three seeds is easily too small; the weights of the mixture are asked of its bound.
    bounds = [
        variance * freedom / float(stats.chi2.ppf(DOUBT, freedom))
        for variance, freedom in zip(of_runs, freedoms, strict=True)
    ]
    parts = [*zip(bounds, freedoms, strict=True), (of_cases, clusters - 1)]
    weight = sum(part * part / freedom for part, freedom in parts)
    freedom = float(sum(part for part, _ in parts) ** 2 / weight) if weight > 0 else clusters - 1.0
    of_seeds = sum(max(0.0, one - left) for one, left in zip(of_runs, rest, strict=True))
    return Crossed(sum(of_runs) + of_cases, freedom, of_seeds)


def _rest(side: Array) -> float:
    """Return the variance of what neither the run nor the cluster explains."""
    runs, clusters = side.shape
    left = side - side.mean(axis=1, keepdims=True) - side.mean(axis=0, keepdims=True) + side.mean()
    squares = float(np.sum(left * left))
    return float(squares / ((runs - 1) * (clusters - 1)))


def _find(values: tuple[float, float], before: Array, after: Array, *, effect: float, confidence: float) -> Finding:
    """Return interval and test by t: the difference over its crossed standard error.

    Where nothing varies, nothing is known of the chance: the interval reckons with a Case that was not seen. And p is
    no smaller than that of a sign test on as many clusters, which cannot be wrong about their variance.
    """
    difference = values[1] - values[0]
    clusters = before.shape[1]
    chance = crossed(before, after)
    error = math.sqrt(chance.variance)
    half, power = (float(stats.t.ppf(share, chance.freedom)) for share in ((1 + confidence) / 2, POWER))
    ratio = abs(difference) / error if error > NOISE else (math.inf if abs(difference) > NOISE else 0.0)
    method = f"Student's t over seeds and Cases, {chance.freedom:.1f} degrees of freedom"
    possible = with_unseen(
        difference,
        error * math.sqrt(clusters),
        clusters=clusters,
        apart=reach_of(before.ravel(), after.ravel()),
        confidence=confidence,
    )
    low, high = (difference - half * error, difference + half * error) if error > NOISE else possible
    p_value = max(2 * float(stats.t.sf(ratio, chance.freedom)), 2.0 ** (1 - clusters))
    wanted = (max(abs(difference), effect) / (half + power)) ** 2
    lowered = chance.variance - chance.of_seeds
    return Finding(
        values[0],
        values[1],
        Interval(low, high, method),
        Significance(min(1.0, p_value), "t-test over seeds and Cases"),
        (half + power) * error if clusters >= least_clusters(confidence) else math.inf,
        _needed(clusters * lowered, wanted - chance.of_seeds, least=least_clusters(confidence)),
        possible,
    )


def _needed(variance: float, left: float, *, least: int) -> int | None:
    """Return how many clusters bring their part of the variance down to what is left for it; None: no number does."""
    return max(least, math.ceil(variance / left)) if left > 0 else None


def _check(before: Sequence[Result], after: Sequence[Result], metric: Metric, *, kind: Kind) -> tuple[str, ...]:
    """Refuse runs that do not answer the same question; what holds of each with one other holds of all."""
    pairs = [(before[0], run) for run in after] + [(run, after[0]) for run in before[1:]]
    unknown = [name for one, other in pairs for name in check(one, other, metric, kind=kind)]
    return tuple(dict.fromkeys(unknown))


def _refuse_copies(runs: Sequence[Result], metric: Metric) -> None:
    """Refuse one checkpoint that is given as several: its copies would show no chance of the seed."""
    for place, run in enumerate(runs):
        for other in runs[:place]:
            if _same_checkpoint(run, other, metric):
                raise ComparisonRefused(
                    f"{run.label} is {other.label} once more",
                    where=name_of(runs),
                    expected="a run of its own for every seed",
                    received="the same weights" if "weights" in run.identity else "the same answer to every Case",
                    hint="Give a checkpoint once; a side of one run speaks of that checkpoint.",
                )


def _same_checkpoint(run: Result, other: Result, metric: Metric) -> bool:
    """Return whether two runs have the same weights, or, where these are not known, the same answers."""
    if "weights" in run.identity and "weights" in other.identity:
        return all(run.identity.get(key) == other.identity.get(key) for key in ("weights", "adapter"))
    first, last = ({case.id: _answers(case) for case in one.cases} for one in (run, other))
    return first == last and rows_by_id(run, metric) == rows_by_id(other, metric)


def _answers(case: Case) -> list[tuple[str, ...]]:
    return [prediction.answers for prediction in case.predictions]


def _by_cluster(
    side: Sequence[Array], clusters: NDArray[np.intp], metric: Metric, *, score: str
) -> tuple[Array, Array]:
    """Return each run's score, shape (runs,), and what each cluster says of it, shape (runs, clusters)."""
    of_score = statistic(metric, score=score)
    if isinstance(metric, SampleMetric):
        made = [pseudo_values_of_sample(rows, clusters, metric, score=score) for rows in side]
    elif metric.kind == "corpus":
        made = [pseudo_values(sum_by_cluster(rows, clusters), of_score) for rows in side]
    else:
        means = np.array([collapse(of_score(rows), clusters) for rows in side])
        return means.mean(axis=1), means
    return np.array([whole for whole, _ in made]), np.array([values for _, values in made])


def _case_scores(side: Sequence[Array], score: Statistic) -> Array:
    """Return each Case's own score, the mean over the runs."""
    return np.asarray(np.mean([score(rows) for rows in side], axis=0), dtype=np.float64)
