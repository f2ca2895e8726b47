"""Right or wrong: the answer matches a reference, or the right choice was made."""

from __future__ import annotations

from typing import Literal

from afters.metrics.answers import worst
from afters.metrics.choices import chosen, right_choices, right_places, weighed
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.text import folded, squad_normalised, stripped
from afters.records import Case, Direction, Example, Kind, Prediction, Row

_NORMALISATIONS = {"strip": stripped, "squad": squad_normalised}
_SIGNATURES = {
    "strip": "refs:any|norm:strip|version:1",
    "squad": "refs:any|norm:squad|empty:zero|version:2",
}


class ExactMatch:
    """The share of Cases whose answer equals one of its references.

    Args:
        normalisation: what is done to both before they are compared: "strip" takes off the white space around
            them; "squad" also forgets case, punctuation and articles, and the metric is then called
            `quasi_exact_match`, as in HELM. There an empty answer is always wrong: a reference that is an article
            alone, as "A", is nothing once it is normalised.

    A Case of several Examples is right when every one of them is.
    """

    kind: Kind = "binary"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self, *, normalisation: Literal["strip", "squad"] = "strip") -> None:
        self.name = "exact_match" if normalisation == "strip" else "quasi_exact_match"
        self.names: tuple[str, ...] = (self.name,)
        self._normalise = _NORMALISATIONS[normalisation]
        self._may_be_empty = normalisation == "strip"
        self.signature = _SIGNATURES[normalisation]

    def observe(self, case: Case) -> Row | None:
        """Return (1 or 0, 1), or None when an answer is missing."""
        return worst(case, self._right)

    def from_totals(self, totals: Array) -> Array:
        """Return the share of right Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)

    def _right(self, example: Example, answer: str) -> bool:
        if not (self._may_be_empty or answer.strip()):
            return False
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
            choice = chosen(example, prediction)
            if choice is None:
                return None
            right = right and folded(choice) in right_choices(example)
        return float(right), 1.0

    def from_totals(self, totals: Array) -> Array:
        """Return the share of right Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)


class ChoiceAccuracy:
    """The share of Cases whose most probable choice is right, by four measures of "most probable".

    `choice_accuracy` takes the highest log-probability; the others divide it first by the choice's length, so that
    long choices are not at a loss: in characters (lm-eval's `acc_norm`), in UTF-8 bytes (its `acc_bytes`), in tokens
    (HELM's `multiple_choice_separate_original`). Of equals the first is chosen, as by lm-eval; HELM would split the
    point among them.

    A Case of several Examples is right when every one of them is. A Case whose Prediction carries no
    log-probabilities, or whose reference is none of the choices, cannot be judged.
    """

    name = "choice_accuracy"
    names: tuple[str, ...] = ("choice_accuracy", *(f"choice_accuracy_{unit}" for unit in ("chars", "bytes", "tokens")))
    kind: Kind = "binary"
    direction: Direction = "higher"
    chance: float | None = None
    signature = "by:log_probability|per:choice,char,utf8_byte,token|ties:first|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return 1 or 0 for each of the four measures, and 1; or None where nothing was weighed."""
        found = weighed(case)
        if found is None:
            return None
        right = [_right_by_length(example, prediction) for example, prediction, _ in found]
        return (*(float(all(measure)) for measure in zip(*right, strict=True)), 1.0)

    def from_totals(self, totals: Array) -> Array:
        """Return the shares of right Cases, shape (replicates, 4)."""
        return mean_from_totals(totals)


def _right_by_length(example: Example, prediction: Prediction) -> list[bool]:
    """Return whether the right choice is most probable: as it stands, by character, by byte, by token."""
    logs = [choice.log_probability for choice in prediction.choices]
    lengths = (
        [1] * len(logs),
        [len(choice) for choice in example.choices],
        [len(choice.encode()) for choice in example.choices],
        [choice.tokens for choice in prediction.choices],
    )
    right = right_places(example)
    # An empty choice has no length to divide by.
    measured = ([log / max(length, 1) for log, length in zip(logs, unit, strict=True)] for unit in lengths)
    return [values.index(max(values)) in right for values in measured]
