"""How closely answers follow references: Matthews for labels, Pearson for numbers, Spearman for their order."""

from __future__ import annotations

import math
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from afters.metrics.answers import answered
from afters.metrics.labels import label_counts
from afters.metrics.metric import Array
from afters.records import Case, Direction, Kind, Row


class Matthews:
    """Matthews' correlation of the labels chosen and the right ones, from -1 to 1; for CoLA.

    For more than two labels it is Gorodkin's R_K (Computational Biology and Chemistry 28, 2004), as scikit-learn's
    `matthews_corrcoef`. Answers that are none of the choices are one label more. Where all answers or all
    references are one label, it is 0. One Case alone has no correlation; by itself it is 1 when right and 0 when not.
    See `labels.py` for what a label is.
    """

    name = "matthews"
    names: tuple[str, ...] = ("matthews",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = 0.0
    signature = "labels:choices|other_answers:one_label|constant:0|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the counts of `label_counts`."""
        return label_counts(case)

    def from_totals(self, totals: Array) -> Array:
        """Return R_K, shape (replicates, 1)."""
        hits, made, right = np.moveaxis(totals.reshape(len(totals), -1, 3), 2, 0)  # each (replicates, labels)
        correct, everything = hits.sum(axis=1), right.sum(axis=1)
        other = everything - made.sum(axis=1)
        shared = correct * everything - (made * right).sum(axis=1)
        spread_made = everything**2 - (made**2).sum(axis=1) - other**2
        spread_right = everything**2 - (right**2).sum(axis=1)
        score = _divided(shared, np.sqrt(spread_made * spread_right))
        return np.where(everything == 1, correct, score)[:, None]


class Pearson:
    """Pearson's correlation of the numbers written and the numbers that are right.

    Where either are all the same it is 0: such answers follow nothing. Numbers whose spread is less than 3e-7 of their
    size count as the same, since it is made of sums of squares: of times in seconds, judge what they lie apart. One
    Case alone has none. A Case whose answer or first reference is no number cannot be judged; one of several Examples
    counts by the means of its numbers.
    """

    name = "pearson"
    names: tuple[str, ...] = ("pearson",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = 0.0
    signature = "refs:first|answers:numbers|constant:0|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return x, y, x^2, y^2, xy and 1 for an answer x and a reference y."""
        pair = _numbers(case)
        if pair is None:
            return None
        x, y = pair
        return x, y, x * x, y * y, x * y, 1.0

    def from_totals(self, totals: Array) -> Array:
        """Return the correlation, shape (replicates, 1); nan for one Case alone."""
        x, y, xx, yy, xy, cases = totals.T
        shared, spread_x, spread_y = cases * xy - x * y, cases * xx - x * x, cases * yy - y * y
        # What is left of equal numbers after rounding is no spread.
        spread_x = np.where(spread_x <= 1e-13 * cases * xx, 0.0, spread_x)
        spread_y = np.where(spread_y <= 1e-13 * cases * yy, 0.0, spread_y)
        score = _divided(shared, np.sqrt(spread_x * spread_y))
        return np.where(cases > 1, score, np.nan)[:, None]

    def objection(self, *, cases: int) -> str | None:
        """Return why it is not compared on so few Cases."""
        return _too_few(cases)


class Spearman:
    """Spearman's correlation: Pearson's, of the ranks of the numbers; equals share the mean of their ranks.

    As `Pearson` in everything else. Ranks are made anew for each sample: with ranks fixed beforehand, resamples would
    not show how much the ranks themselves depend on which Cases were drawn.
    """

    name = "spearman"
    names: tuple[str, ...] = ("spearman",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = 0.0
    signature = "refs:first|answers:numbers|ranks:mid,each_sample|constant:0|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the answer's number and the reference's."""
        return _numbers(case)

    def from_counts(self, rows: Array, counts: Array) -> Array:
        """Return the correlation of the ranks in each sample, shape (samples, 1)."""
        taken = counts.any(axis=0)
        rows, counts = rows[taken], counts[:, taken]
        (x, spread_x), (y, spread_y) = (_ranks(column, counts) for column in rows.T)
        cases = counts.sum(axis=1)
        shared = np.einsum("sc,sc,sc->s", counts, x, y) - cases * ((cases + 1) / 2) ** 2
        return _divided(shared, np.sqrt(spread_x * spread_y))[:, None]

    def from_totals(self, totals: Array) -> Array:
        """Return nan, shape (cases, 1): one Case alone has no rank."""
        return np.full((len(totals), 1), np.nan)

    def objection(self, *, cases: int) -> str | None:
        """Return why it is not compared on so few Cases."""
        return _too_few(cases)


def _too_few(cases: int) -> str | None:
    """Any two points lie on a line, and one of them has no correlation."""
    return None if cases > 2 else f"a correlation cannot be compared on {cases} Cases; from 3 on it can"


def _numbers(case: Case) -> tuple[float, float] | None:
    """Return the means of the numbers written and of the right ones; None when one is no number."""
    pairs = answered(case)
    texts = [text for example, answer in pairs or () for text in (answer, example.references[0])]
    values = [_number(text) for text in texts]
    if not values or not all(map(math.isfinite, values)):
        return None
    return fmean(values[::2]), fmean(values[1::2])


def _number(text: str) -> float:
    """Return the number that the text is; nan when it is none."""
    try:
        return float(text.strip())
    except ValueError:
        return math.nan


def _ranks(values: NDArray[np.float64], counts: Array) -> tuple[Array, Array]:
    """Return each value's rank from 1 in samples that hold it `counts` times, and the sums of squares about the mean.

    Shapes (samples, cases) and (samples,). Equals share a rank, and t of them take (t^3 - t) / 12 off the sum
    (Kendall and Gibbons, Rank Correlation Methods, 1990).
    """
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))
    held = np.add.reduceat(counts[:, order], starts, axis=1)  # (samples, distinct values)
    ranks = held.cumsum(axis=1) - (held - 1) / 2
    cases = counts.sum(axis=1)
    return ranks[:, place], (cases**3 - cases - (held * (held * held - 1)).sum(axis=1)) / 12


def _divided(shared: Array, spread: Array) -> Array:
    """Return `shared / spread`, and 0 where there is no spread."""
    return np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 0)
