"""Two Results as arrays: what both observed on the same Cases, and which of those belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.compare.resample import Array, ScoreOfBoth, Statistic, canonical, collapse, sum_by_cluster
from afters.errors import ComparisonRefused, SettingsError, unknown
from afters.metrics.metric import Metric, SampleMetric, objection, stacked
from afters.records import Case, Direction, Result, Row

NOISE: Final = 1e-12
"""A difference below it is rounding: equal on paper, or gains and losses that cancel, summed in some order."""


class Paired(NamedTuple):
    """What was observed on the Cases that both Results could judge, in the order of what that is."""

    before: Array  # (cases, width)
    after: Array  # (cases, width)
    clusters: NDArray[np.intp]
    """Each Case's cluster, numbered from 0."""
    unjudged: int
    """Cases that one of the two could not judge."""

    def means(self, score: Statistic) -> tuple[Array, Array]:
        """Return each cluster's mean score before and after, both of shape (clusters,)."""
        return collapse(score(self.before), self.clusters), collapse(score(self.after), self.clusters)

    def totals(self) -> tuple[Array, Array]:
        """Return each cluster's summed statistics before and after, both of shape (clusters, width)."""
        return sum_by_cluster(self.before, self.clusters), sum_by_cluster(self.after, self.clusters)

    def whole(self, metric: SampleMetric, *, score: str) -> ScoreOfBoth:
        """Return the function from how often each cluster is taken, before and after, to the score."""
        rows, place = np.vstack([self.before, self.after]), metric.names.index(score)

        def scored(before: Array, after: Array) -> Array:
            counts = np.hstack([before[:, self.clusters], after[:, self.clusters]])
            return metric.from_counts(rows, counts)[:, place]

        return scored

    def flips(self, score: Statistic, *, direction: Direction) -> tuple[int, int, int]:
        """Return how many Cases got better, got worse and stayed, each scored by itself; see `flips`."""
        return flips(score(self.before), score(self.after), direction=direction)


def flips(before: Array, after: Array, *, direction: Direction) -> tuple[int, int, int]:
    """Return how many scores got better, got worse and stayed; what has no score by itself is none of them."""
    change = after - before
    gain = change if direction == "higher" else -change
    better, worse = int((gain > NOISE).sum()), int((gain < -NOISE).sum())
    return better, worse, int(np.isfinite(gain).sum()) - better - worse


def statistic(metric: Metric, *, score: str) -> Statistic:
    """Return the function from summed statistics, shape (replicates, width), to one of the metric's scores.

    Raises:
        SettingsError: the metric has no such score.
    """
    if score not in metric.names:
        raise SettingsError(unknown(f"score of {metric.name}", score, metric.names))
    place = metric.names.index(score)
    return lambda totals: metric.from_totals(totals)[:, place]


class Aligned(NamedTuple):
    """What several Results observed on the Cases that all of them could judge, in the order of the Cases' ids."""

    rows: tuple[Array, ...]
    """Each Result's, shape (cases, width)."""
    clusters: NDArray[np.intp]
    unjudged: int


def align(results: Sequence[Result], metric: Metric, *, where: str) -> Aligned:
    """Bring Results of the same Cases into one order, without the Cases that some could not be judged on.

    Raises:
        ComparisonRefused: fewer than two clusters are left, or the metric objects to so many Cases.
    """
    observed = [rows_by_id(result, metric) for result in results]
    cases = sorted(results[0].cases, key=lambda case: case.id)
    judged = [case for case in cases if all(rows[case.id] is not None for rows in observed)]
    if reason := objection(metric, cases=len(judged)):
        raise ComparisonRefused(reason, where=where)
    clusters = numbered(judged)
    if len(set(clusters.tolist())) < 2:
        raise ComparisonRefused(
            "too little to compare",
            where=where,
            expected="Cases of two clusters at least that every Result could be judged on",
            received=f"{len(judged)} of {len(cases)} Cases, in {len(set(clusters.tolist()))} clusters",
            hint="Judge more rows.",
        )
    kept = (by_id[case.id] for by_id in observed for case in judged)
    rows = stacked([row for row in kept if row is not None])  # one Result after the other
    return Aligned(tuple(rows.reshape(len(results), len(judged), -1)), clusters, len(cases) - len(judged))


def pair(before: Result, after: Result, metric: Metric) -> Paired:
    """Bring both Results into the order of what they observed, without the Cases that one could not judge.

    Raises:
        ComparisonRefused: fewer than two clusters are left, or the metric objects to so many Cases.
    """
    where = f"{before.label} against {after.label}, {metric.name}"
    (first, last), clusters, unjudged = align((before, after), metric, where=where)
    order, clusters = canonical(np.hstack([first, last]), clusters)
    return Paired(first[order], last[order], clusters, unjudged)


def numbered(cases: Sequence[Case]) -> NDArray[np.intp]:
    """Return each Case's cluster as a number from 0, in the order of their names; a Case without one stands alone."""
    names = [("cluster", case.cluster) if case.cluster else ("case", case.id) for case in cases]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.intp)


def rows_by_id(result: Result, metric: Metric) -> dict[str, Row | None]:
    """Return what the metric observed on each Case, by the Case's id."""
    return {case.id: row for case, row in zip(result.cases, result.rows[metric.name], strict=True)}
