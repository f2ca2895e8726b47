"""F1 of the words of an answer and of a reference: how much of each stands in the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import fmean

from afters.metrics.answers import answered
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.text import squad_normalised
from afters.records import Case, Direction, Kind, Row


class F1:
    """Words in common, each as often as both have it, as SQuAD scores answers (Rajpurkar et al., arXiv 1606.05250).

    Both are normalised first: case, punctuation and articles are forgotten. Of several references the one that fits
    best counts. Where one side has no words, the score is 1 when the other has none either, as in SQuAD 2.0 and
    ReCoRD, and 0 otherwise. A Case of several Examples gets their mean.
    """

    name = "f1"
    names: tuple[str, ...] = ("f1",)
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "words:multiset|refs:best|norm:squad|empty:agree|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (F1, 1), or None when an answer is missing."""
        return _best(case, _of_multisets)

    def from_totals(self, totals: Array) -> Array:
        """Return the mean over Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


class SetF1:
    """Different words in common, as HELM's `f1_score`: a word counts once however often it is written.

    Normalised as by `F1`; of several references the one that fits best counts. A side without words gets 0, even
    when the other has none. A Case of several Examples gets their mean.
    """

    name = "set_f1"
    names: tuple[str, ...] = ("set_f1",)
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "words:set|refs:best|norm:squad|empty:zero|like:helm|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (F1, 1), or None when an answer is missing."""
        return _best(case, _of_sets)

    def from_totals(self, totals: Array) -> Array:
        """Return the mean over Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


def _best(case: Case, score: Callable[[Sequence[str], Sequence[str]], float]) -> Row | None:
    pairs = answered(case)
    if pairs is None:
        return None
    return fmean(
        max(score(_words(answer), _words(one)) for one in example.references) for example, answer in pairs
    ), 1.0


def _words(text: str) -> list[str]:
    return squad_normalised(text).split()


def _of_multisets(answer: Sequence[str], reference: Sequence[str]) -> float:
    if not answer or not reference:
        return float(not answer and not reference)
    # 2PR / (P + R) with P = common / answer and R = common / reference.
    return 2 * (Counter(answer) & Counter(reference)).total() / (len(answer) + len(reference))


def _of_sets(answer: Sequence[str], reference: Sequence[str]) -> float:
    written, right = set(answer), set(reference)
    return 2 * len(written & right) / (len(written) + len(right)) if written and right else 0.0
