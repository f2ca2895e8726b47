"""Two Results as arrays: what both observed on the same Cases, and which of those belong together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.compare.resample import Array, ScoreOfBoth, Statistic, canonical, collapse, sum_by_cluster
from afters.errors import ComparisonRefused, SettingsError, unknown
from afters.metrics.metric import Metric, SampleMetric, objection, stacked
from afters.records import Case, Direction, Result, Row


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

    def flips(self, score: Statistic, *, direction: Direction) -> tuple[int, int]:
        """Return how many Cases got better and how many worse, each scored by itself."""
        change = score(self.after) - score(self.before)
        gain = change if direction == "higher" else -change
        return int((gain > 0).sum()), int((gain < 0).sum())


def statistic(metric: Metric, *, score: str) -> Statistic:
    """Return the function from summed statistics, shape (replicates, width), to one of the metric's scores.

    Raises:
        SettingsError: the metric has no such score.
    """
    if score not in metric.names:
        raise SettingsError(unknown(f"score of {metric.name}", score, metric.names))
    place = metric.names.index(score)
    return lambda totals: metric.from_totals(totals)[:, place]


def pair(before: Result, after: Result, metric: Metric) -> Paired:
    """Bring both Results into one order, without the Cases that one could not judge.

    Raises:
        ComparisonRefused: fewer than two clusters are left, or the metric objects to so many Cases.
    """
    first, last = _rows(before, metric), _rows(after, metric)
    cases = sorted(before.cases, key=lambda case: case.id)
    both = [(case, first[case.id], last[case.id]) for case in cases]
    judged = [(case, one, other) for case, one, other in both if one is not None and other is not None]
    if reason := objection(metric, cases=len(judged)):
        raise ComparisonRefused(reason, where=f"{before.label} against {after.label}, {metric.name}")
    clusters = numbered([case for case, _, _ in judged])
    if len(set(clusters.tolist())) < 2:
        raise ComparisonRefused(
            "too little to compare",
            where=f"{before.label} against {after.label}, {metric.name}",
            expected="Cases of two clusters at least that both could be judged on",
            received=f"{len(judged)} of {len(both)} Cases, in {len(set(clusters.tolist()))} clusters",
            hint="Judge more rows.",
        )
    rows = stacked([row for _, *sides in judged for row in sides])  # before and after of the first Case, then the next
    order, clusters = canonical(np.hstack([rows[::2], rows[1::2]]), clusters)
    return Paired(rows[::2][order], rows[1::2][order], clusters, len(both) - len(judged))


def numbered(cases: Sequence[Case]) -> NDArray[np.intp]:
    """Return each Case's cluster as a number from 0, in the order of their names; a Case without one stands alone."""
    names = [("cluster", case.cluster) if case.cluster else ("case", case.id) for case in cases]
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names], dtype=np.intp)


def _rows(result: Result, metric: Metric) -> dict[str, Row | None]:
    return {case.id: row for case, row in zip(result.cases, result.rows[metric.name], strict=True)}
