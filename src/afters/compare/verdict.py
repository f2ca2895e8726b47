"""Is it proven? The one place that says so, in a word and in a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

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


def sentence(comparison: Comparison, *, margin: float | None = None) -> str:
    """Return the verdict in plain English; `margin` as in `decide`.

    "rouge1 went from 0.312 to 0.547: improved by 0.235 [0.210, 0.260] on 200 Cases (p < 0.001, sign-flip
    permutation)."
    """
    number, change = _Number(comparison), comparison.verdict
    gain, low, high = _gain(comparison)
    by = f"{number(gain)} [{number(low)}, {number(high)}] {_basis(comparison)}."
    if change == "improved":
        told = f"{_better(comparison)} by {by}"
    elif change == "improved_effect_unproven":
        told = f"{_better(comparison)} by {by} {_unproven(comparison, high=high)}"
    elif change == "worse":
        told = f"worse by {number(-gain)} [{number(-high)}, {number(-low)}] {_basis(comparison)}."
    elif change == "equivalent":
        bound = comparison.smallest_effect if margin is None else margin
        told = f"equivalent within {bound:g}, {_difference(comparison)}."
    else:
        told = f"cannot tell, {_difference(comparison)}. {_reach(comparison)}"
    return f"{comparison.metric} {_values(comparison)}: {told}"


class _Number:
    """Writes a comparison's numbers with as many decimals as its difference needs, at least two or three."""

    def __init__(self, comparison: Comparison) -> None:
        size = max(abs(comparison.before_value), abs(comparison.after_value))
        self._decimals = 3 if size <= 1 else 2
        if comparison.difference:
            first_digit = -math.floor(math.log10(abs(comparison.difference)))
            self._decimals = min(6, max(self._decimals, first_digit))

    def __call__(self, value: float, *, sign: str = "") -> str:
        # Adding 0.0 makes a rounded -0.0 a plain 0.
        return f"{round(value, self._decimals) + 0.0:{sign}.{self._decimals}f}"


def _values(comparison: Comparison) -> str:
    number = _Number(comparison)
    before, after = number(comparison.before_value), number(comparison.after_value)
    if comparison.kind == "tuning":
        return f"went from {before} to {after}"
    return f"is {after} for {comparison.after}, {before} for {comparison.before}"


def _better(comparison: Comparison) -> str:
    return "improved" if comparison.kind == "tuning" else "better"


def _gain(comparison: Comparison) -> tuple[float, float, float]:
    """Return difference, low and high so that more is better."""
    if comparison.direction == "higher":
        return comparison.difference, comparison.low, comparison.high
    return -comparison.difference, -comparison.high, -comparison.low


def _difference(comparison: Comparison) -> str:
    number = _Number(comparison)
    interval = f"[{number(comparison.low, sign='+')}, {number(comparison.high, sign='+')}]"
    return f"difference {number(comparison.difference, sign='+')} {interval} {_basis(comparison)}"


def _basis(comparison: Comparison) -> str:
    """Return what it rests on: "on 1,500 Cases in 500 clusters (p = 0.012, sign-flip permutation)"."""
    clusters = "" if comparison.clusters == comparison.cases else f" in {comparison.clusters:,} clusters"
    corrected = ""
    if comparison.p_corrected != comparison.p_value:
        corrected = f"; {_p(comparison.p_corrected)} after Holm's correction"
    return f"on {comparison.cases:,} Cases{clusters} ({_p(comparison.p_value)}, {comparison.test}{corrected})"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _unproven(comparison: Comparison, *, high: float) -> str:
    declared = f"{comparison.smallest_effect:g} that was declared to matter"
    return f"That is less than the {declared}." if high < comparison.smallest_effect else f"It may miss the {declared}."


def _reach(comparison: Comparison) -> str:
    """Return what these Cases could have shown, how many it would take, and why a test could say nothing."""
    number, told = _Number(comparison), []
    excludes_zero = comparison.low > 0 or comparison.high < 0
    if excludes_zero != (comparison.p_corrected < 1 - comparison.confidence):
        told.append("Interval and test disagree; the weaker word is said.")
    differing = comparison.better + comparison.worse
    least = math.floor(math.log2(2 / (1 - comparison.confidence))) + 1
    if comparison.test == "exact McNemar" and differing < least:
        told.append(f"Only {differing} Cases changed between right and wrong; fewer than {least} never prove anything.")
    told.append(f"So many Cases show a difference of {number(comparison.detectable)} with 80 % power")
    if comparison.cases_needed and comparison.cases_needed > comparison.cases:
        effect = max(abs(comparison.difference), comparison.smallest_effect)
        told[-1] += f"; {number(effect)} would take about {comparison.cases_needed:,}"
    return " ".join(told) + "."
