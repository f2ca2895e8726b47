"""Numbers and labels as a reader sees them: one way to write each, so that no two forms of a report disagree."""

from __future__ import annotations

import math
import re

from afters.records import Comparison, Verdict

VERDICTS: dict[Verdict, str] = {
    "improved": "Improved",
    "improved_effect_unproven": "Improved, effect unproven",
    "worse": "Worse",
    "equivalent": "Equivalent",
    "cannot_tell": "Cannot tell",
}

_LABELS = {"before": "Before (zero-shot)", "after": "After", "nearest": "Nearest neighbour"}


def number(value: float | None) -> str:
    """Write a score: three decimals below ten, as rouge1, and two from there, as BLEU.

    >>> number(0.31249), number(31.249), number(None)
    ('0.312', '31.25', '–')
    """
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.3f}" if abs(value) < 10 else f"{value:,.2f}"
    return "0.000" if text == "-0.000" else text.replace("-", "−")


def signed(value: float | None) -> str:
    """Write a difference with its sign.

    >>> signed(0.25), signed(-0.25), signed(0.0001)
    ('+0.250', '−0.250', '0.000')
    """
    text = number(value)
    return f"+{text}" if value is not None and value > 0 and text != "0.000" else text


def span(low: float | None, high: float | None, *, sign: bool = False) -> str:
    """Write an interval, or nothing where none was computed.

    >>> span(0.1, 0.25), span(-0.1, 0.25, sign=True), span(None, None)
    ('0.100 to 0.250', '−0.100 to +0.250', '')
    """
    if low is None or high is None:
        return ""
    write = signed if sign else number
    return f"{write(low)} to {write(high)}"


def probability(value: float | None) -> str:
    """Write a p value; below 0.001 only that it is.

    >>> probability(0.0312), probability(0.00002)
    ('0.031', '< 0.001')
    """
    return "< 0.001" if value is not None and value < 0.001 else number(value)


def count(value: float, noun: str = "", *, plural: str = "") -> str:
    """Write a whole number, with its noun.

    >>> count(1, "row"), count(1200, "row"), count(2, "reply", plural="replies")
    ('1 row', '1,200 rows', '2 replies')
    """
    text = f"{value:,.0f}"
    if not noun:
        return text
    return f"{text} {noun if value == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """Write how long something took.

    >>> duration(0.034), duration(8.25), duration(92), duration(7505)
    ('34 ms', '8.2 s', '1 min 32 s', '2 h 05 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def label(name: str) -> str:
    """Write a Result's label in words.

    >>> label("before"), label("shots=1"), label("shots=4"), label("checkpoint-120")
    ('Before (zero-shot)', '1 shot', '4 shots', 'checkpoint-120')
    """
    shots = re.fullmatch(r"shots=(\d+)", name)
    return count(int(shots.group(1)), "shot") if shots else _LABELS.get(name, name)


def against(comparison: Comparison) -> str:
    """Name a Comparison by what it sets against what, in a few words.

    The first words of "Before (zero-shot)" are enough here; a file's name stays as it is.
    """
    before = label(comparison.before).partition(" (")[0]
    known = label(comparison.before) != comparison.before
    return f"{label(comparison.after)} against {before.lower() if known else comparison.before}"
