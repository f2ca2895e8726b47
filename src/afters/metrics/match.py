"""Right or wrong: the answer matches a reference, or the right choice was made."""

from __future__ import annotations

from typing import Literal

from afters.metrics.answers import worst
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.text import folded, squad_normalised, stripped
from afters.records import Case, Direction, Example, Kind, Prediction, Row

_NORMALISATIONS = {"strip": stripped, "squad": squad_normalised}


class ExactMatch:
    """The share of Cases whose answer equals one of its references.

    Args:
        normalisation: what is done to both before they are compared: "strip" takes off the white space around
            them; "squad" also forgets case, punctuation and articles.

    A Case of several Examples is right when every one of them is.
    """

    name = "exact_match"
    names: tuple[str, ...] = ("exact_match",)
    kind: Kind = "binary"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self, *, normalisation: Literal["strip", "squad"] = "strip") -> None:
        self._normalise = _NORMALISATIONS[normalisation]
        self.signature = f"refs:any|norm:{normalisation}|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (1 or 0, 1), or None when an answer is missing."""
        return worst(case, self._right)

    def from_totals(self, totals: Array) -> Array:
        """Return the share of right Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)

    def _right(self, example: Example, answer: str) -> bool:
        given = self._normalise(answer)
        return any(given == self._normalise(reference) for reference in example.references)


class Accuracy:
    """The share of Cases in which the right choice was made, for tasks with choices.

    The choice made is the most probable one where the Prediction carries their log-probabilities (of equals, the
    first), otherwise the written answer. It is right when it equals the first reference, white space around it
    and case apart; where the choices carry scores, when its score is the highest there is. A Case of several
    Examples is right when every one of them is. A Case without choices cannot be judged.
    """

    name = "accuracy"
    names: tuple[str, ...] = ("accuracy",)
    kind: Kind = "binary"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "choice:most_probable|norm:strip,casefold|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return (1 or 0, 1), or None when there are no choices or nothing was chosen."""
        right = True
        for example, prediction in zip(case.examples, case.predictions, strict=True):
            chosen = _chosen(example, prediction)
            if chosen is None:
                return None
            right = right and folded(chosen) in _right_choices(example)
        return float(right), 1.0

    def from_totals(self, totals: Array) -> Array:
        """Return the share of right Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


def _chosen(example: Example, prediction: Prediction) -> str | None:
    """Return the choice made; None when there are no choices or nothing was chosen."""
    assert prediction.example == example.id, f"the answer to {prediction.example} is not that to {example.id}"
    if not example.choices:
        return None
    if prediction.choices:
        logs = [choice.log_probability for choice in prediction.choices]
        assert len(logs) == len(example.choices), f"{example.id}: {len(logs)} log-probabilities of its choices"
        return example.choices[logs.index(max(logs))]
    return prediction.answers[0] if prediction.answers else None


def _right_choices(example: Example) -> frozenset[str]:
    if not example.choice_scores:
        return frozenset([folded(example.references[0])])
    top = max(example.choice_scores)
    scored = zip(example.choices, example.choice_scores, strict=True)
    return frozenset(folded(choice) for choice, score in scored if score == top)
