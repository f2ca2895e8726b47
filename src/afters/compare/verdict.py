"""Is it proven? The one place that says so."""

from __future__ import annotations

from dataclasses import replace

from afters.compare.sentence import sentence
from afters.records import Comparison, Direction, Verdict


def decided(comparison: Comparison, *, margin: float | None = None) -> Comparison:
    """Return the comparison with its word and its sentence; `margin` as in `decide`."""
    word = decide(
        low=comparison.low,
        high=comparison.high,
        p_value=comparison.p_corrected,
        direction=comparison.direction,
        confidence=comparison.confidence,
        smallest_effect=comparison.smallest_effect,
        margin=margin,
    )
    worded = replace(comparison, verdict=word)
    return replace(worded, sentence=sentence(worded, margin=margin))


def decide(
    *,
    low: float,
    high: float,
    p_value: float,
    direction: Direction,
    confidence: float,
    smallest_effect: float = 0.0,
    margin: float | None = None,
) -> Verdict:
    """Return the word for a difference `after - before`.

    - `improved`: the interval lies above the smallest effect that was declared (above 0 without one).
    - `improved_effect_unproven`: it lies above 0, but not above that effect.
    - `worse`: it lies below 0.
    - `equivalent`: it lies within the margin on both sides of 0; without a margin, within the smallest effect.
    - `cannot_tell`: anything else.

    The first three need the test's consent too, p below 1 - confidence: where interval and test disagree, the
    weaker word is said.

    Args:
        low: lower end of the interval of the difference.
        high: its upper end.
        p_value: of the test, corrected where it is one of several.
        direction: which way is better.
        confidence: of the interval, as 0.95.
        smallest_effect: the smallest difference that matters, declared beforehand; 0 for none.
        margin: the largest difference that does not matter; None for the smallest effect.
    """
    low, high = (low, high) if direction == "higher" else (-high, -low)
    significant = p_value < 1 - confidence
    if significant and low > smallest_effect:
        return "improved"
    if significant and low > 0:
        return "improved_effect_unproven"
    if significant and high < 0:
        return "worse"
    bound = smallest_effect if margin is None else margin
    return "equivalent" if -bound < low and high < bound else "cannot_tell"
