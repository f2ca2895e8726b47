"""What was chosen, which choices are right, and how probable each was."""

from __future__ import annotations

import math
from statistics import fmean

from afters.metrics.text import folded
from afters.records import Case, Example, Prediction, Result


def chosen(example: Example, prediction: Prediction) -> str | None:
    """Return the choice made; None when there are no choices or nothing was chosen.

    It is the most probable one where the Prediction carries their log-probabilities (of equals, the first), otherwise
    the written answer, which may be none of the choices.
    """
    assert prediction.example == example.id, f"the answer to {prediction.example} is not that to {example.id}"
    if not example.choices:
        return None
    if prediction.choices:
        logs = [choice.log_probability for choice in prediction.choices]
        assert len(logs) == len(example.choices), f"{example.id}: {len(logs)} log-probabilities of its choices"
        return example.choices[logs.index(max(logs))]
    return prediction.answers[0] if prediction.answers else None


def guessing(result: Result) -> float | None:
    """Return the share that is right by guessing among each row's choices; None where some rows have none."""
    numbers = [len(example.choices) for case in result.cases for example in case.examples]
    return fmean(1 / number for number in numbers) if numbers and min(numbers) > 1 else None


def right_choices(example: Example) -> frozenset[str]:
    """Return the right choices, without case and white space around them.

    The first reference; where the choices carry scores, those that none exceeds.
    """
    if not example.choice_scores:
        return frozenset([folded(example.references[0])])
    top = max(example.choice_scores)
    scored = zip(example.choices, example.choice_scores, strict=True)
    return frozenset(folded(choice) for choice, score in scored if score == top)


def right_places(example: Example) -> list[int]:
    """Return the places of the right ones among the choices; none when the reference is no choice."""
    right = right_choices(example)
    return [place for place, choice in enumerate(example.choices) if folded(choice) in right]


def place_of(example: Example, text: str) -> int | None:
    """Return the place of a text among the choices, case and white space around it apart; None: it is none."""
    places = [place for place, choice in enumerate(example.choices) if folded(choice) == folded(text)]
    return places[0] if places else None


def log_probabilities(example: Example, prediction: Prediction) -> list[float] | None:
    """Return the log-probability of each choice; None when the Prediction carries none, or one that is no number.

    Minus infinity is none: who rules a choice out, as the nearest-neighbour baseline does, weighs nothing.
    """
    assert prediction.example == example.id, f"the answer to {prediction.example} is not that to {example.id}"
    logs = [choice.log_probability for choice in prediction.choices]
    if not logs or not all(map(math.isfinite, logs)):
        return None
    assert len(logs) == len(example.choices), f"{example.id}: {len(logs)} log-probabilities of its choices"
    return logs


def weighed(case: Case) -> list[tuple[Example, Prediction, list[float]]] | None:
    """Return each Example of the Case, its Prediction, and the log-probabilities of its choices; None: one lacks them.

    An Example whose reference is none of its choices lacks them too: nobody said how probable what is right was.
    """
    found = []
    for example, prediction in zip(case.examples, case.predictions, strict=True):
        logs = log_probabilities(example, prediction)
        if logs is None or not right_places(example):
            return None
        found.append((example, prediction, logs))
    return found or None


def shares(logs: list[float]) -> list[float]:
    """Return the probability of each choice, were there no other answers: the softmax of their log-probabilities.

    >>> shares([-1000.0, -1000.0])
    [0.5, 0.5]
    """
    most = max(logs)
    weights = [math.exp(log - most) for log in logs]
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]
