"""Scores of labels over many Cases, from counts: how often each was right, was chosen, should have been.

A label is a place among an Example's choices. So a score means something where all Examples offer the same choices
in the same order, as classes; the options of a quiz have no common labels.
"""

from __future__ import annotations

import numpy as np

from afters.metrics.choices import chosen, place_of, right_places
from afters.metrics.metric import Array
from afters.metrics.text import folded
from afters.records import Case, Direction, Example, Kind, Prediction, Row


def label_counts(case: Case) -> Row | None:
    """Return three counts for each label in turn: chosen and right, chosen, right.

    They are added up over the Case's Examples. An answer that is none of the choices is chosen for no label, and one
    that is missed for the right one. None when there are no choices, nothing was chosen, or nothing is right.
    """
    counts = np.zeros((max(len(example.choices) for example in case.examples), 3))
    for example, prediction in zip(case.examples, case.predictions, strict=True):
        pair = _labels(example, prediction)
        if pair is None:
            return None
        made, right = pair
        counts[right, 2] += 1
        if made is not None:
            counts[made] += (made == right, 1, 0)
    return tuple(counts.ravel().tolist())


def _labels(example: Example, prediction: Prediction) -> tuple[int | None, int] | None:
    """Return the label chosen, None where it is none of the choices, and the right one; None: cannot be judged."""
    text, right = chosen(example, prediction), right_places(example)
    if text is None or not right:
        return None
    made = place_of(example, text)
    # Where several are right, the one that was chosen is taken; otherwise the first.
    return made, made if made in right else right[0]


class MacroF1:
    """The mean of the labels' F1, each counting alike however rare it is.

    Labels that were neither chosen nor right do not count, as in scikit-learn's `f1_score(average="macro")`. An
    answer that is none of the choices is a miss, and no label of its own.
    """

    name = "macro_f1"
    names: tuple[str, ...] = ("macro_f1",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "average:macro|labels:occurring|other_answers:missed|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the counts of `label_counts`."""
        return label_counts(case)

    def from_totals(self, totals: Array) -> Array:
        """Return macro-F1, shape (replicates, 1)."""
        hits, made, right = np.moveaxis(totals.reshape(len(totals), -1, 3), 2, 0)  # each (replicates, labels)
        occurring = (made + right > 0).sum(axis=1)
        f1 = 2 * hits / np.maximum(made + right, 1)
        return np.asarray(f1.sum(axis=1) / np.maximum(occurring, 1), dtype=np.float64)[:, None]


class BinaryF1:
    """F1 of one label, as GLUE scores MRPC and QQP.

    Args:
        positive: the choice whose finding counts; None for the second of two choices, where the first is "no".

    A Case that does not offer that choice cannot be judged.
    """

    name = "binary_f1"
    names: tuple[str, ...] = ("binary_f1",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self, *, positive: str | None = None) -> None:
        self._positive = positive
        self.signature = f"average:binary|positive:{_named(positive)}|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return how often the label was chosen and right, chosen, right."""
        return _positive_counts(case, self._positive)

    def from_totals(self, totals: Array) -> Array:
        """Return F1, shape (replicates, 1); 0 where the label was neither chosen nor right."""
        return _f1(totals)[:, None]


class MultiRc:
    """MultiRC's two scores (SuperGLUE, arXiv 1905.00537), of questions that have several answers to be judged.

    `multirc_f1a` is the F1 of "true" over all answers of all questions; `multirc_em` is the share of questions all of
    whose answers were judged rightly. A Case is a question, its Examples are the answers (`group`).

    Args:
        positive: the choice that calls an answer true; None for the second of two choices.
    """

    name = "multirc"
    names: tuple[str, ...] = ("multirc_f1a", "multirc_em")
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self, *, positive: str | None = None) -> None:
        self._positive = positive
        self.signature = f"f1a:all_answers|em:question|positive:{_named(positive)}|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the label's three counts, whether the whole question is right, and 1."""
        counts, every = _positive_counts(case, self._positive), label_counts(case)
        if counts is None or every is None:
            return None
        return (*counts, float(sum(every[0::3]) == len(case.examples)), 1.0)

    def from_totals(self, totals: Array) -> Array:
        """Return F1a and EM, shape (replicates, 2)."""
        return np.column_stack([_f1(totals[:, :3]), totals[:, 3] / totals[:, 4]])


def _named(positive: str | None) -> str:
    return "second_choice" if positive is None else positive


def _positive_counts(case: Case, positive: str | None) -> Row | None:
    """Return the three counts of one label; None where it is not offered, or not the same one of all Examples."""
    places = {_positive_place(example, positive) for example in case.examples}
    counts, place = label_counts(case), places.pop()
    if counts is None or place is None or places:
        return None
    return counts[3 * place : 3 * place + 3]


def _positive_place(example: Example, positive: str | None) -> int | None:
    if positive is None:
        return 1 if len(example.choices) == 2 else None
    return place_of(example, folded(positive))


def _f1(totals: Array) -> Array:
    hits, made, right = totals.T
    return np.asarray(2 * hits / np.maximum(made + right, 1), dtype=np.float64)
