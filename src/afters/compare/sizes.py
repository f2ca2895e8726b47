"""What so many Cases could have shown, and how many it would take: at 80 % power, for the tests that are used."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import optimize, stats

from afters.compare.resample import least_clusters

POWER: Final = 0.8
"""The chance of seeing a difference that is there, by which "could have shown" is meant."""

COUNTED: Final = 20_000
"""Up to so many pairs the power of McNemar's exact test is counted out; beyond, the normal approximation is as good."""


def detectable(spread: float, *, clusters: int, confidence: float) -> float:
    """Return the mean difference that so many clusters show; `spread` is the standard deviation between them.

    Infinite where so few clusters show nothing, however large.
    """
    if clusters < least_clusters(confidence):
        return math.inf
    return _reach(confidence) * spread / math.sqrt(clusters - _guenther(confidence))


def clusters_needed(spread: float, *, effect: float, confidence: float) -> int:
    """Return how many clusters show a mean difference of `effect`, at least as many as can show any."""
    wanted = (_reach(confidence) * spread / effect) ** 2 + _guenther(confidence)
    return max(least_clusters(confidence), math.ceil(wanted))


def detectable_by_pairs(discordant: float, *, pairs: int, confidence: float) -> float:
    """Return the difference of proportions that McNemar's exact test on so many pairs shows, at most 1.

    `discordant` is the share of pairs in which one side is right and the other wrong. Infinite where so few pairs show
    nothing, even if all of them change.
    """
    if pairs < least_clusters(confidence):
        return math.inf

    def lacking(effect: float) -> float:
        return POWER - _power(discordant, effect=effect, pairs=pairs, confidence=confidence)

    return 1.0 if lacking(1.0) >= 0 else float(optimize.brentq(lacking, 1e-9, 1.0, xtol=1e-6))


def pairs_needed(discordant: float, *, effect: float, confidence: float) -> int:
    """Return how many pairs show a difference of proportions of `effect` by McNemar's exact test.

    The exact test needs a few more than its normal approximation; with few pairs its power lies up to four points
    below what that promises.
    """
    least = math.ceil(pairs_by_approximation(discordant, effect=effect, confidence=confidence))
    if least > COUNTED:
        return least
    # Power does not rise with every single pair: a discordant one more can ask for another split.
    low, high = max(1, least // 2), 2 * least + 20
    while low < high:
        middle = (low + high) // 2
        enough = _power(discordant, effect=effect, pairs=middle, confidence=confidence) >= POWER
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def pairs_by_approximation(discordant: float, *, effect: float, confidence: float) -> float:
    """Return (z_a sqrt(p) + z_b sqrt(p - effect^2))^2 / effect^2 (Connett, Smith and McHugh, 1987).

    p is the share of discordant pairs; a difference of `effect` needs at least as many.
    """
    share = max(discordant, effect)
    significance = _quantile((1 + confidence) / 2) * math.sqrt(share)
    return ((significance + _quantile(POWER) * math.sqrt(share - effect * effect)) / effect) ** 2


def mcnemar_power(better: float, worse: float, *, pairs: int, confidence: float = 0.95) -> float:
    """Return how often McNemar's exact test finds a difference, counted over all outcomes.

    Args:
        better: the share of pairs that get better.
        worse: the share that get worse.
        pairs: how many there are.
        confidence: the test is held to 1 - confidence.
    """
    share = better + worse
    if share <= 0:
        return 0.0
    least, most = (int(stats.binom.ppf(end, pairs, share)) for end in (1e-12, 1 - 1e-12))
    discordant = np.arange(least, most + 1)
    # The largest smaller part of a significant split: 2 P(X <= k) < 1 - confidence; -1 where there is none.
    edge = np.asarray(stats.binom.ppf((1 - confidence) / 2, discordant, 0.5))
    split = edge - (2 * stats.binom.cdf(edge, discordant, 0.5) >= 1 - confidence)
    up = better / share
    found = stats.binom.cdf(split, discordant, up) + stats.binom.cdf(split, discordant, 1 - up)
    return float(stats.binom.pmf(discordant, pairs, share) @ found)


def _power(discordant: float, *, effect: float, pairs: int, confidence: float) -> float:
    share = min(1.0, max(discordant, effect))
    if pairs > COUNTED:
        needed = pairs_by_approximation(discordant, effect=effect, confidence=confidence)
        return POWER * pairs / needed
    return mcnemar_power((share + effect) / 2, (share - effect) / 2, pairs=pairs, confidence=confidence)


def _guenther(confidence: float) -> float:
    """Return how many more a t-test needs than the normal approximation (Guenther, American Statistician 35, 1981)."""
    return _quantile((1 + confidence) / 2) ** 2 / 2


def _reach(confidence: float) -> float:
    return _quantile((1 + confidence) / 2) + _quantile(POWER)


def _quantile(probability: float) -> float:
    return float(stats.norm.ppf(probability))
