"""Does a model know when it is right? Its probabilities of the choices against what is right.

A model's probability of a choice is the softmax over the choices' log-probabilities, as if there were no other
answers. Written answers carry no probability, and cannot be judged.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import Final

import numpy as np
from numpy.typing import NDArray

from afters.metrics.choices import right_places, shares, weighed
from afters.metrics.metric import Array, mean_from_totals
from afters.records import Case, Direction, Example, Kind, Row

BINS: Final = 10
"""Of about equal size, as HELM cuts them."""

LEAST_CASES: Final = 300
"""HELM's own note on its metric: with fewer, ten bins say more about chance than about the model."""


class CalibrationError:
    """The expected calibration error exactly as HELM computes it: `ece_10_bin` and `ece_1_bin`.

    Cases are sorted by the probability of the choice made and cut into ten bins of equal size (one); the error is
    the mean, over Cases, of the distance between the bin's mean probability and its share of right choices.

    It is never zero, and larger the fewer Cases there are, for a perfect model too. So it is not compared, and has no
    interval; `Calibration` is made for that. A Case of several Examples has no one probability, and cannot be judged.
    """

    name = "ece"
    names: tuple[str, ...] = ("ece_10_bin", "ece_1_bin")
    kind: Kind = "corpus"
    direction: Direction = "lower"
    chance: float | None = None
    signature = "bins:10,1|mass:equal|norm:l1|debiased:no|like:helm|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the probability of the choice made, and 1 or 0 for whether it is right."""
        return _confidence(case)

    def from_counts(self, rows: Array, counts: Array) -> Array:
        """Return both errors, shape (samples, 2)."""
        return np.column_stack([_plain_error(_binned(rows, counts, bins=bins)) for bins in (BINS, 1)])

    def from_totals(self, totals: Array) -> Array:
        """Return nan, shape (cases, 2): one Case alone fills no bin."""
        return np.full((len(totals), 2), np.nan)

    def objection(self, *, cases: int) -> str | None:
        """Return why it is not compared."""
        return "the plain calibration error grows as Cases get fewer; compare `calibration`, which is debiased"


class Calibration:
    """The squared calibration error in ten bins of equal size, debiased (Kumar, Liang and Ma, arXiv 1909.10155).

    Each bin gives the square of the distance between its mean probability and its share s of right choices, less
    s * (1 - s) / (cases - 1), which is what chance alone puts there; the error is their mean over Cases. So a perfect
    model has 0 on average, and may have a little less. Its root, where that is more than 0, is on the scale of
    `ece_10_bin`; differences are right on the square's.

    It is compared, and has an interval, from 300 Cases. Before and after are then cut into the same bins, made of
    both together. A Case of several Examples cannot be judged.
    """

    name = "calibration"
    names: tuple[str, ...] = ("calibration",)
    kind: Kind = "corpus"
    direction: Direction = "lower"
    chance: float | None = None
    signature = f"bins:{BINS}|mass:equal|norm:l2_squared|debiased:yes|compared:from_{LEAST_CASES}_cases|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the probability of the choice made, and 1 or 0 for whether it is right."""
        return _confidence(case)

    def from_counts(self, rows: Array, counts: Array) -> Array:
        """Return the debiased squared error, shape (samples, 1); the bins are made of all rows, whatever is taken."""
        cases, probability, right = _binned(rows, counts, bins=BINS)
        share = right / np.maximum(cases, 1)
        gap = (probability - right) / np.maximum(cases, 1)
        # A bin of one Case cannot tell chance from error, and says nothing.
        square = np.where(cases < 2, 0.0, gap**2 - share * (1 - share) / np.maximum(cases - 1, 1))
        return np.asarray((cases * square).sum(axis=1) / cases.sum(axis=1), dtype=np.float64)[:, None]

    def from_totals(self, totals: Array) -> Array:
        """Return nan, shape (cases, 1): one Case alone fills no bin."""
        return np.full((len(totals), 1), np.nan)

    def objection(self, *, cases: int) -> str | None:
        """Return why it is not compared on so few Cases."""
        if cases >= LEAST_CASES:
            return None
        return f"calibration cannot be judged on {cases} Cases; from {LEAST_CASES} on it can"


class Brier:
    """The squared distance between the probabilities of the choices and what is right (Brier, 1950), from 0 to 2.

    Summed over the choices, as lm-eval's `brier_score`; a fair score, which nobody betters by lying. A Case of
    several Examples gets their mean. A Case without exactly one right choice cannot be judged.
    """

    name = "brier"
    names: tuple[str, ...] = ("brier",)
    kind: Kind = "case"
    direction: Direction = "lower"
    chance: float | None = None
    signature = "probabilities:softmax_of_choices|sum:choices|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (squared distance, 1), or None where nothing was weighed or not exactly one choice is right."""
        found = weighed(case)
        if found is None or any(len(right_places(example)) != 1 for example, _, _ in found):
            return None
        return fmean(_squared_distance(example, shares(logs)) for example, _, logs in found), 1.0

    def from_totals(self, totals: Array) -> Array:
        """Return the mean over Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


class NegativeLogLikelihood:
    """How improbable the right choice seemed: minus the logarithm of its probability among the choices, in nats.

    A fair score as `Brier`, and harder on those who were sure and wrong. Several right choices are taken together.
    A Case of several Examples gets their mean.
    """

    name = "nll"
    names: tuple[str, ...] = ("nll",)
    kind: Kind = "case"
    direction: Direction = "lower"
    chance: float | None = None
    signature = "probabilities:softmax_of_choices|unit:nats|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (nats, 1), or None where nothing was weighed."""
        found = weighed(case)
        if found is None:
            return None
        return fmean(_surprise(example, logs) for example, _, logs in found), 1.0

    def from_totals(self, totals: Array) -> Array:
        """Return the mean over Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


def _confidence(case: Case) -> Row | None:
    """Return the probability of the choice made, and whether it is right; None when there was nothing to choose."""
    found = weighed(case)
    if found is None or len(found) > 1 or len(found[0][2]) < 2:
        return None
    example, _, logs = found[0]
    made = logs.index(max(logs))
    return shares(logs)[made], float(made in right_places(example))


def _squared_distance(example: Example, probabilities: list[float]) -> float:
    right = right_places(example)
    return math.fsum((share - (place in right)) ** 2 for place, share in enumerate(probabilities))


def _surprise(example: Example, logs: list[float]) -> float:
    return _log_sum(logs) - _log_sum([logs[place] for place in right_places(example)])


def _log_sum(logs: list[float]) -> float:
    """Return the logarithm of the sum of what these are logarithms of."""
    most = max(logs)
    return most + math.log(math.fsum(math.exp(log - most) for log in logs))


def _edges(probabilities: NDArray[np.float64], *, bins: int) -> NDArray[np.float64]:
    """Return the upper edges of bins of equal size: halfway between neighbours, the last one 1.

    Bins that equal probabilities would make empty fall together.
    """
    parts = np.array_split(np.sort(probabilities), min(bins, len(probabilities)))
    halfway = [(left[-1] + right[0]) / 2 for left, right in zip(parts, parts[1:], strict=False)]
    return np.unique([*halfway, 1.0])


def _binned(rows: Array, counts: Array, *, bins: int) -> tuple[Array, Array, Array]:
    """Return each bin's Cases, and the sums of their probabilities and right choices, each (samples, bins)."""
    edges = _edges(rows[:, 0], bins=bins)
    used = counts.any(axis=0)
    rows, counts = rows[used], counts[:, used]
    _, bin_of = np.unique(np.searchsorted(edges, rows[:, 0]), return_inverse=True)  # without bins that nothing is in
    order = np.argsort(bin_of, kind="stable")
    starts = np.flatnonzero(np.diff(bin_of[order], prepend=-1))
    taken = counts[:, order]
    probability, right = rows[order].T
    cases, *sums = (np.add.reduceat(part, starts, axis=1) for part in (taken, taken * probability, taken * right))
    return cases, sums[0], sums[1]


def _plain_error(binned: tuple[Array, Array, Array]) -> Array:
    cases, probability, right = binned
    return np.asarray(np.abs(probability - right).sum(axis=1) / cases.sum(axis=1), dtype=np.float64)
