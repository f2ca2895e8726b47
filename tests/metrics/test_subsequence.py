from __future__ import annotations

from collections.abc import Sequence

from afters.metrics.subsequence import length, places
from afters.seeds import stream


def by_table(reference: Sequence[str], answer: Sequence[str]) -> int:
    """The textbook recurrence."""
    row = [0] * (len(answer) + 1)
    for word in reference:
        above = row
        row = [0]
        for place, other in enumerate(answer):
            row.append(above[place] + 1 if word == other else max(above[place + 1], row[place]))
    return row[-1]


def test_lengths_and_places_are_those_of_the_textbook_table() -> None:
    draw = stream(3, "texts")
    for _ in range(300):
        reference, answer = (list(draw.choice(list("abcde"), size=int(draw.integers(0, 90)))) for _ in range(2))
        found = places(reference, answer)
        assert length(reference, answer) == len(found) == by_table(reference, answer)
        common = [reference[place] for place in reversed(found)]
        left = iter(answer)
        assert all(word in left for word in common), "the words must stand in the answer in that order"
