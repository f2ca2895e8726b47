"""The answers of a Case: what was asked beside what was written."""

from __future__ import annotations

from collections.abc import Callable

from afters.records import Case, Example


def answered(case: Case) -> list[tuple[Example, str]] | None:
    """Return each Example of the Case with its written answer, or None when an answer is missing.

    Of several sampled answers the first counts. An empty answer is an answer; no answer at all is none, and the
    Case cannot be judged.
    """
    pairs = []
    for example, prediction in zip(case.examples, case.predictions, strict=True):
        assert prediction.example == example.id, f"{case.id}: the answer to {prediction.example} is not its own"
        if not prediction.answers:
            return None
        pairs.append((example, prediction.answers[0]))
    return pairs or None


def worst(case: Case, right: Callable[[Example, str], bool]) -> tuple[float, float] | None:
    """Return the row of a binary metric: 1 when every answer of the Case is right, and the Case's count."""
    pairs = answered(case)
    if pairs is None:
        return None
    return float(all(right(example, answer) for example, answer in pairs)), 1.0
