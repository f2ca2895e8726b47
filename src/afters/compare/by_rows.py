"""A score is compared along the number of teaching rows: each number with none, and all with the number before."""

from __future__ import annotations

import math
from collections.abc import Mapping

from afters.compare.alike import check
from afters.compare.change import compare
from afters.compare.rows import AtRows, Difference, RowCurve
from afters.errors import ComparisonRefused
from afters.metrics.metric import Metric
from afters.records import Result

UNKNOWN = Difference(math.nan, math.nan, math.nan)


def by_rows(
    results: Mapping[int, Result],
    metric: Metric,
    *,
    score: str,
    own_rows: Mapping[int, int],
    smallest_effect: float = 0.0,
    left_out: tuple[int, ...] = (),
    seed: int = 0,
) -> RowCurve:
    """Compare along the number of teaching rows.

    Args:
        results: on the same judged rows, by the number of rows taught: 0 is the base, and the largest are all rows.
        metric: what observed them all.
        score: one of its names.
        own_rows: how many of each number were the task's own.
        smallest_effect: the smallest difference that matters, declared beforehand.
        left_out: numbers that were asked for, and are more than there are rows.
        seed: of the resamples.
    """
    ordered = sorted(results)
    before, whole = results[0], results[ordered[-1]]

    def difference(first: Result, second: Result) -> tuple[Difference, int]:
        check(first, second, metric, kind="tuning")
        try:
            found = compare(first, second, metric, score=score, kind="tuning", primary=False, seed=seed)
        except ComparisonRefused:  # what is left to refuse: too few of its answers could be judged, which stops nobody
            return UNKNOWN, len(first.cases)
        return Difference(found.difference, found.low, found.high), found.unjudged

    def at(rows: int) -> AtRows:
        found = results[rows].score(score)
        gain, unjudged = difference(before, results[rows]) if rows else (Difference(0.0, 0.0, 0.0), found.unjudged)
        low, high = (math.nan if end is None else end for end in (found.low, found.high))
        return AtRows(rows, own_rows[rows], found.value, low, high, gain, unjudged)

    each = tuple(at(rows) for rows in ordered)
    last = difference(results[ordered[-2]], whole)[0] if len(ordered) > 2 else None
    return RowCurve(before.task, score, metric.direction, smallest_effect, each, last, left_out)
