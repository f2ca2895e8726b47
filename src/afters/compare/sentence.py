"""A verdict in plain English."""

from __future__ import annotations

import math
from typing import Final

from afters.compare.resample import least_clusters
from afters.records import Comparison

FLIPPED: Final = frozenset({"sign-flip permutation", "approximate randomisation"})
"""Tests that exchange before and after of whole clusters."""


def sentence(comparison: Comparison, *, margin: float | None = None) -> str:
    """Return the verdict in plain English; `margin` as in `verdict.decide`.

    "rouge1 of this checkpoint went from 0.312 to 0.547: improved by 0.235 [0.210, 0.260] on 200 Cases (p < 0.001,
    sign-flip permutation)." Where several seeds were compared it speaks of the recipe instead.
    """
    gain, low, high = gain_of(comparison)
    if comparison.verdict == "improved":
        told = f"{_better(comparison)} by {amount(gain, low, high, comparison)}."
    elif comparison.verdict == "improved_effect_unproven":
        told = f"{_better(comparison)} by {amount(gain, low, high, comparison)}. {_unproven(comparison, high=high)}"
    elif comparison.verdict == "worse":
        told = f"worse by {amount(-gain, -high, -low, comparison)}."
    elif comparison.verdict == "equivalent":
        bound = comparison.smallest_effect if margin is None else margin
        told = f"equivalent within {bound:g}, difference {_difference(comparison)}."
    else:
        bound = comparison.smallest_effect if margin is None else margin
        told = f"cannot tell, difference {_difference(comparison)}. {_reach(comparison, bound=bound)}"
    return f"{comparison.metric} {values(comparison)}: {told}"


def write(value: float, comparison: Comparison, *, sign: str = "") -> str:
    """Return a number with as many decimals as the comparison's difference needs, at least two or three."""
    decimals = 3 if max(abs(comparison.before_value), abs(comparison.after_value)) <= 1 else 2
    if abs(comparison.difference) >= 1e-6:
        decimals = max(decimals, -math.floor(math.log10(abs(comparison.difference))))
    # Adding 0.0 makes a rounded -0.0 a plain 0.
    return f"{round(value, decimals) + 0.0:{sign}.{decimals}f}"


def values(comparison: Comparison) -> str:
    """Return what the score was and is: "of this checkpoint went from 0.312 to 0.547"."""
    before, after = (write(value, comparison) for value in (comparison.before_value, comparison.after_value))
    seeds = ""
    if max(comparison.before_seeds, comparison.after_seeds) > 1:
        one = "seed" if comparison.before_seeds == 1 else "seeds"
        seeds = f" ({comparison.before_seeds} {one} before, {comparison.after_seeds} after)"
    if comparison.kind == "tuning":
        return f"of this {'recipe' if seeds else 'checkpoint'}{seeds} went from {before} to {after}"
    return f"is {after} for {comparison.after}, {before} for {comparison.before}{seeds}"


def _better(comparison: Comparison) -> str:
    return "improved" if comparison.kind == "tuning" else "better"


def gain_of(comparison: Comparison) -> tuple[float, float, float]:
    """Return difference, low and high so that more is better."""
    if comparison.direction == "higher":
        return comparison.difference, comparison.low, comparison.high
    return -comparison.difference, -comparison.high, -comparison.low


def _difference(comparison: Comparison) -> str:
    return amount(comparison.difference, comparison.low, comparison.high, comparison, sign="+")


def amount(value: float, low: float, high: float, comparison: Comparison, *, sign: str = "") -> str:
    """Return a difference with its interval and what it rests on."""
    middle, bottom, top = (write(number, comparison, sign=sign) for number in (value, low, high))
    return f"{middle} [{bottom}, {top}] {_basis(comparison)}"


def _basis(comparison: Comparison) -> str:
    """Return what it rests on: "on 1,500 Cases in 500 clusters (p = 0.012, sign-flip permutation)"."""
    clusters = "" if comparison.clusters == comparison.cases else f" in {comparison.clusters:,} clusters"
    corrected = ""
    if comparison.p_corrected != comparison.p_value:
        corrected = f"; {_p(comparison.p_corrected)} after {comparison.correction}'s correction"
    return f"on {comparison.cases:,} Cases{clusters} ({_p(comparison.p_value)}, {comparison.test}{corrected})"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _unproven(comparison: Comparison, *, high: float) -> str:
    declared = f"{comparison.smallest_effect:g} that was declared to matter"
    if gain_of(comparison)[1] > comparison.smallest_effect:
        return f"As one of several declared comparisons it may miss the {declared}."
    return f"That is less than the {declared}." if high < comparison.smallest_effect else f"It may miss the {declared}."


def _reach(comparison: Comparison, *, bound: float) -> str:
    """Return what these Cases could have shown, how many it would take, and why a test could say nothing."""
    told = []
    excludes_zero, level = comparison.low > 0 or comparison.high < 0, 1 - comparison.confidence
    if excludes_zero and comparison.p_value < level <= comparison.p_corrected:
        told.append("It does not outlive the correction for being one of several.")
    elif excludes_zero != (comparison.p_corrected < level):
        told.append("Interval and test disagree; the weaker word is said.")
    told += _too_few(comparison)
    told += _not_ruled_out(comparison, bound=bound)
    if math.isfinite(comparison.detectable):
        told.append(f"So many Cases show a difference of {write(comparison.detectable, comparison)} with 80 % power")
    else:
        told.append("So few Cases show no difference, however large")
    told[-1] += _needed(comparison)
    told[-1] += " (before the correction)" if comparison.p_corrected != comparison.p_value else ""
    return " ".join(told) + "."


def _not_ruled_out(comparison: Comparison, *, bound: float) -> list[str]:
    """Say why a difference whose interval is smaller than what matters is not called equivalent."""
    if not max(-comparison.low, comparison.high) < bound:
        return []
    possible = max(-(comparison.possible_low or 0.0), comparison.possible_high or 0.0)
    if possible >= bound:
        return [f"With one Case more that lost or gained all, {write(possible, comparison)} would not be ruled out."]
    return [f"As one of several declared comparisons it is not shown to be smaller than {bound:g}."]


def _too_few(comparison: Comparison) -> list[str]:
    """Say where a test that counts flips has too few that differ: the p-value of k flips is at least 2 / 2^k."""
    least = least_clusters(comparison.confidence)
    differing = comparison.better + comparison.worse
    if comparison.test == "exact McNemar" and differing < least:
        return [f"{_only(differing)} changed between right and wrong; fewer than {least} never prove anything."]
    # Of a corpus score no Case says by itself whether it changed.
    if comparison.test == "sign-flip permutation" and differing < least:
        return [f"{_only(differing)} changed; fewer than {least} never prove anything."]
    if comparison.test in FLIPPED and comparison.clusters < least:
        return [f"Only {comparison.clusters} clusters; fewer than {least} never prove anything."]
    return []


def _only(cases: int) -> str:
    return "No Case" if cases == 0 else f"Only {cases} Case{'' if cases == 1 else 's'}"


def _needed(comparison: Comparison) -> str:
    effect = max(abs(comparison.difference), comparison.smallest_effect)
    wanted = write(effect, comparison)
    if comparison.cases_needed is None and effect > 1e-12:
        return f"; {wanted} would take more seeds, however many Cases"
    if comparison.cases_needed is None:
        return "; without a difference, or an effect declared to matter, no number of Cases can be named"
    if comparison.cases_needed > comparison.cases:
        return f"; {wanted} would take about {comparison.cases_needed:,}"
    return f"; {wanted} takes about {comparison.cases_needed:,}, which there are"
