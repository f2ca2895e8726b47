"""Paired tests of before against after, and what is left of their p-values when there are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from afters.compare.resample import Array, ScoreOfBoth, Statistic, product, share_as_extreme


class Significance(NamedTuple):
    """A two-sided p-value, and the name of its test."""

    p_value: float
    test: str


def mcnemar(better: int, worse: int) -> Significance:
    """Ask by McNemar's exact test whether as many get better as get worse; without any, p is 1."""
    tail = float(stats.binom.cdf(min(better, worse), better + worse, 0.5))
    return Significance(min(1.0, 2 * tail), "exact McNemar")


def sign_flip(differences: Array, *, seed: int) -> Significance:
    """Ask whether the mean of the clusters' differences is zero, by flipping their signs.

    Were before and after alike, either could have come first. Clusters that do not differ cannot count, whichever
    way they are flipped.
    """
    differing = np.sort(differences[differences != 0])

    def effect(flips: Array) -> Array:
        return np.asarray(np.abs(differing.sum() - 2 * (flips @ differing)), dtype=np.float64)

    return Significance(share_as_extreme(effect, clusters=len(differing), seed=seed), "sign-flip permutation")


def approximate_randomisation(before: Array, after: Array, score: Statistic, *, seed: int) -> Significance:
    """Ask whether a corpus score differs, by exchanging both sides' totals of clusters.

    Args:
        before: totals of shape (clusters, width).
        after: the same clusters in the same order.
        score: turns summed totals into scores.
        seed: of the random exchanges.

    Riezler and Maxwell, "On some pitfalls in automatic evaluation and significance testing for MT", 2005.
    """
    gain = (after - before)[(after != before).any(axis=1)]
    gain = gain[np.lexsort(gain.T)]
    first, last = before.sum(axis=0), after.sum(axis=0)

    def effect(flips: Array) -> Array:
        moved = product(flips, gain)
        return np.abs(score(last - moved) - score(first + moved))

    p_value = share_as_extreme(effect, clusters=len(gain), seed=seed)
    return Significance(p_value, "approximate randomisation")


def exchange(score: ScoreOfBoth, *, clusters: int, seed: int) -> Significance:
    """Ask the same of a score that is no function of totals; see `ScoreOfBoth`."""

    def effect(flips: Array) -> Array:
        stay = 1 - flips
        return np.abs(score(flips, stay) - score(stay, flips))

    p_value = share_as_extreme(effect, clusters=clusters, seed=seed)
    return Significance(p_value, "approximate randomisation")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected so that each bounds the chance of any false finding up to it (Holm, 1979)."""
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for the share of false ones among the findings (Benjamini and Hochberg, 1995).

    For exploring many scores, as a benchmark's subjects, where Holm would leave nothing.
    """
    corrected: list[float] = stats.false_discovery_control(p_values).tolist() if p_values else []
    return corrected
