"""Is it proven? The one place that says so."""

from __future__ import annotations

from dataclasses import replace

from afters.compare.sentence import sentence
from afters.records import Comparison, Direction, Verdict


def decided(comparison: Comparison, *, margin: float | None = None, wider: float = 1.0) -> Comparison:
    """Return the comparison with its word and its sentence.

    Args:
        comparison: all but these two.
        margin: as in `decide`.
        wider: how many times as far from the difference the word takes the interval's ends to lie.
    """

    def moved(end: float) -> float:
        return comparison.difference + wider * (end - comparison.difference)

    possible = (comparison.possible_low, comparison.possible_high)
    word = decide(
        low=moved(comparison.low),
        high=moved(comparison.high),
        p_value=comparison.p_corrected,
        direction=comparison.direction,
        confidence=comparison.confidence,
        smallest_effect=comparison.smallest_effect,
        margin=margin,
        possible=tuple(end if end is None else moved(end) for end in possible),
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
    possible: tuple[float | None, ...] = (),
) -> Verdict:
    """Return the word for a difference `after - before`.

    - `improved`: the interval lies above the smallest effect that was declared (above 0 without one).
    - `improved_effect_unproven`: it lies above 0, but not above that effect.
    - `worse`: it lies below 0.
    - `equivalent`: it lies within the margin on both sides of 0, also once a Case is reckoned with that was not seen;
      without a margin, within the smallest effect.
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
        possible: the interval's ends with that Case, where they are known.
    """
    ends = [abs(end) for end in (low, high, *possible) if end is not None]
    low, high = (low, high) if direction == "higher" else (-high, -low)
    significant = p_value < 1 - confidence
    if significant and low > smallest_effect:
        return "improved"
    if significant and low > 0:
        return "improved_effect_unproven"
    if significant and high < 0:
        return "worse"
    bound = smallest_effect if margin is None else margin
    return "equivalent" if all(end < bound for end in ends) else "cannot_tell"
