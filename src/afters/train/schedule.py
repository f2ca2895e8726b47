"""Learning-rate curves: pure functions of how far the run is."""

from __future__ import annotations

import math
from collections.abc import Callable

FINAL_SHARE = 0.1
"""Falling curves end at this share of the highest rate: the last steps still teach."""


def _cosine(progress: float, warmups: float) -> float:
    return FINAL_SHARE + (1 - FINAL_SHARE) * 0.5 * (1 + math.cos(math.pi * progress))


def _linear(progress: float, warmups: float) -> float:
    return 1 - (1 - FINAL_SHARE) * progress


def _constant(progress: float, warmups: float) -> float:
    return 1.0


def _inverse_sqrt(progress: float, warmups: float) -> float:
    """T5's own, 1 / sqrt(step) after the warm-up (Raffel et al. 2020, arXiv:1910.10683, section 3.1.2)."""
    return 1 / math.sqrt(warmups)


CURVES: dict[str, Callable[[float, float], float]] = {
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
    "inverse_sqrt": _inverse_sqrt,
}
"""Each takes how far the run is after the warm-up, from 0 to 1, and how many warm-ups long it has been, from 1."""


def share_of_rate(step: int, *, steps: int, warmup: float, curve: str) -> float:
    """Return which share of the highest learning rate step `step` (from 0) of `steps` takes, in (0, 1].

    >>> share_of_rate(0, steps=100, warmup=0.1, curve="linear")
    0.1
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    return CURVES[curve]((step - rising) / max(1, steps - rising), (step + 1) / max(1, rising))
