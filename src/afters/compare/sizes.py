"""What so many Cases could have shown, and how many it would take: at 80 % power, by the normal approximation."""

from __future__ import annotations

import math
from typing import Final

from scipy import optimize, stats

POWER: Final = 0.8
"""The chance of seeing a difference that is there, by which "could have shown" is meant."""


def detectable(spread: float, *, clusters: int, confidence: float) -> float:
    """Return the mean difference that so many clusters show; `spread` is the standard deviation between them."""
    return _reach(confidence) * spread / math.sqrt(clusters)


def clusters_needed(spread: float, *, effect: float, confidence: float) -> int:
    """Return how many clusters show a mean difference of `effect`, at least 2."""
    return max(2, math.ceil((_reach(confidence) * spread / effect) ** 2))


def detectable_by_pairs(discordant: float, *, pairs: int, confidence: float) -> float:
    """Return the difference of proportions that McNemar's test on so many pairs shows, at most 1.

    `discordant` is the share of pairs in which one side is right and the other wrong.
    """

    def lacking(effect: float) -> float:
        return _pairs(discordant, effect=effect, confidence=confidence) - pairs

    return 1.0 if lacking(1.0) >= 0 else float(optimize.brentq(lacking, 1e-9, 1.0))


def pairs_needed(discordant: float, *, effect: float, confidence: float) -> int:
    """Return how many pairs show a difference of proportions of `effect` by McNemar's test."""
    return math.ceil(_pairs(discordant, effect=effect, confidence=confidence))


def _pairs(discordant: float, *, effect: float, confidence: float) -> float:
    """Return (z_a sqrt(p) + z_b sqrt(p - effect^2))^2 / effect^2 (Connett, Smith and McHugh, 1987).

    p is the share of discordant pairs; a difference of `effect` needs at least as many.
    """
    share = max(discordant, effect)
    significance = _quantile((1 + confidence) / 2) * math.sqrt(share)
    return ((significance + _quantile(POWER) * math.sqrt(share - effect * effect)) / effect) ** 2


def _reach(confidence: float) -> float:
    return _quantile((1 + confidence) / 2) + _quantile(POWER)


def _quantile(probability: float) -> float:
    return float(stats.norm.ppf(probability))
