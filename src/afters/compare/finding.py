"""What the numbers of a comparison say, before anybody asks what it means."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from scipy import stats

from afters.compare.intervals import (
    Interval,
    centred,
    corpus_interval,
    mean_interval,
    percentile_interval,
    pseudo_values,
    tango_interval,
)
from afters.compare.paired import NOISE, Paired
from afters.compare.resample import Array, ScoreOfBoth, Statistic, resamples
from afters.compare.significance import Significance, approximate_randomisation, exchange, mcnemar, sign_flip
from afters.compare.sizes import clusters_needed, detectable, detectable_by_pairs, pairs_needed
from afters.errors import ComparisonRefused

UNSEEN: Final = 1
"""So many Cases are imagined beside those that were judged before a difference is ruled out.

A loss that falls on few Cases leaves no trace among few: where 7 of 100 Cases lose all of their score, a loss of
5 points would be ruled out in 15 of 100 studies of 30 Cases; with this one Case, in none (design/forgetting.md).
Right and wrong need no such Case: Tango's interval reckons with what was not seen.
"""

WITHOUT_A_SCALE: Final = frozenset({"bits_per_byte", "nll", "perplexity"})
"""Metrics whose scores have no worst value: 5 points are no part of it, and nobody can lose all of it."""


class Finding(NamedTuple):
    """Two values, how sure their difference is, and what it would take to be surer."""

    before: float
    after: float
    interval: Interval
    significance: Significance
    detectable: float
    """The smallest difference that so many clusters show with 80 % power."""
    needed: int | None
    """Clusters that show the effect asked about; None when there is none."""
    possible: tuple[float, float]
    """The ends of the interval once a cluster is reckoned with that was not seen."""


def with_unseen(
    difference: float, spread: float, *, clusters: int, apart: float, confidence: float
) -> tuple[float, float]:
    """Return the lowest and the highest difference that are not ruled out, by Student's t.

    For each end so many clusters as `UNSEEN` are imagined beside those that were seen, which lost, or gained, `apart`.

    Args:
        difference: the mean over the clusters.
        spread: the standard deviation between them.
        clusters: how many were seen.
        apart: how far two scores can lie apart.
        confidence: of the interval between the ends.
    """
    count = clusters + UNSEEN
    reach = float(stats.t.ppf((1 + confidence) / 2, count - 1))

    def end(sign: int) -> float:
        away = sign * apart - difference
        squares = (clusters - 1) * spread**2 + clusters * UNSEEN / count * away**2
        return difference + UNSEEN / count * away + sign * reach * math.sqrt(squares / (count - 1) / count)

    return end(-1), end(1)


def of_means(paired: Paired, score: Statistic, *, smallest_effect: float, confidence: float, seed: int) -> Finding:
    """Compare a score that is a mean over Cases, by the clusters' means."""
    before, after = paired.means(score)
    gain = after - before
    gain[np.abs(gain) < NOISE] = 0.0
    difference = float(gain.mean())
    effect = max(abs(difference), smallest_effect)
    spread = float(gain.std(ddof=1))
    return Finding(
        float(before.mean()),
        float(after.mean()),
        mean_interval(gain, confidence=confidence, seed=seed),
        sign_flip(gain, seed=seed),
        detectable(spread, clusters=len(gain), confidence=confidence),
        clusters_needed(spread, effect=effect, confidence=confidence) if effect > NOISE else None,
        with_unseen(difference, spread, clusters=len(gain), apart=reach_of(before, after), confidence=confidence),
    )


def of_proportions(paired: Paired, score: Statistic, *, smallest_effect: float, confidence: float) -> Finding:
    """Compare shares of clusters that are right, by those that changed between right and wrong."""
    before, after = paired.means(score)
    better, worse, clusters = int((after > before).sum()), int((after < before).sum()), len(before)
    effect = max(abs(better - worse) / clusters, smallest_effect)
    discordant = (better + worse) / clusters
    interval = tango_interval(better, worse, cases=clusters, confidence=confidence)
    return Finding(
        float(before.mean()),
        float(after.mean()),
        interval,
        mcnemar(better, worse),
        detectable_by_pairs(discordant, pairs=clusters, confidence=confidence),
        pairs_needed(discordant, effect=effect, confidence=confidence) if NOISE < effect <= 1 else None,
        (interval.low, interval.high),
    )


def of_corpus(
    paired: Paired, score: Statistic, *, smallest_effect: float, confidence: float, seed: int, scaled: bool = True
) -> Finding:
    """Compare a score that is only defined over many Cases, by resampling and exchanging whole clusters.

    The cluster that was not seen has lost all or, of a score that is not `scaled`, as much as any that was.

    Raises:
        ComparisonRefused: without some cluster there is no score, as of one Case no correlation.
    """
    before, after = paired.totals()
    (first, of_first), (last, of_last) = (pseudo_values(totals, score) for totals in (before, after))
    refuse_undefined(of_first, of_last)
    effect = max(abs(last - first), smallest_effect)
    gains = of_last - of_first
    spread, apart = float(gains.std(ddof=1)), reach_of(of_first, of_last) if scaled else float(np.ptp([*gains, 0.0]))
    return Finding(
        first,
        last,
        corpus_interval([before, after], score, confidence=confidence, seed=seed),
        approximate_randomisation(before, after, score, seed=seed),
        detectable(spread, clusters=len(before), confidence=confidence),
        clusters_needed(spread, effect=effect, confidence=confidence) if effect > NOISE else None,
        with_unseen(last - first, spread, clusters=len(before), apart=apart, confidence=confidence),
    )


def of_samples(paired: Paired, score: ScoreOfBoth, *, smallest_effect: float, confidence: float, seed: int) -> Finding:
    """Compare a score that is no function of totals, by scoring every resample and every exchange anew."""
    clusters = int(paired.clusters.max()) + 1
    whole, nothing = np.ones((1, clusters)), np.zeros((1, clusters))
    first, last = float(score(whole, nothing)[0]), float(score(nothing, whole)[0])
    drawn = resamples(clusters, seed=seed)
    differences = np.concatenate([score(0 * counts, counts) - score(counts, 0 * counts) for counts in drawn])
    effect = max(abs(last - first), smallest_effect)
    # The standard error falls with the root of the number of clusters, as a mean's does.
    spread = float(differences.std(ddof=1)) * math.sqrt(clusters)
    return Finding(
        first,
        last,
        percentile_interval(centred(differences, at=last - first), confidence=confidence),
        exchange(score, clusters=clusters, seed=seed),
        detectable(spread, clusters=clusters, confidence=confidence),
        clusters_needed(spread, effect=effect, confidence=confidence) if effect > NOISE else None,
        with_unseen(last - first, spread, clusters=clusters, apart=1.0, confidence=confidence),
    )


def reach_of(before: Array, after: Array) -> float:
    """Return how far the scores of clusters lie apart; 0 is among them, the worst of most scores or the best."""
    return float(np.ptp([*before, *after, 0.0]))


def refuse_undefined(*values: Array) -> None:
    """Refuse a score that is not defined without some cluster, as of one Case no correlation is.

    Raises:
        ComparisonRefused: one of the clusters' values is no number.
    """
    if not np.isfinite(np.concatenate([one.ravel() for one in values])).all():
        raise ComparisonRefused(
            "too little to compare",
            expected="a score that is defined without any one of the clusters",
            received=f"{values[0].shape[-1]} clusters",
            hint="Judge more rows.",
        )


def right_or_wrong(values: Array) -> bool:
    """Return whether every value is 0 or 1."""
    return bool(np.isin(values, (0.0, 1.0)).all())
