"""The oracle is the textbook table, walked back as rouge_score walks it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from afters.metrics.subsequence import Lanes, length, met, places, runs, union
from afters.seeds import stream


def by_table(reference: Sequence[str], answer: Sequence[str]) -> list[list[int]]:
    """The textbook recurrence: a row for each number of reference words."""
    rows = [[0] * (len(answer) + 1)]
    for word in reference:
        above, row = rows[-1], [0]
        for place, other in enumerate(answer):
            row.append(above[place] + 1 if word == other else max(above[place + 1], row[place]))
        rows.append(row)
    return rows


def walked_back(reference: Sequence[str], answer: Sequence[str]) -> set[int]:
    table = by_table(reference, answer)
    row, column, found = len(reference), len(answer), set()
    while row and column:
        if reference[row - 1] == answer[column - 1]:
            row, column = row - 1, column - 1
            found.add(row)
        elif table[row][column - 1] > table[row - 1][column]:
            column -= 1
        else:
            row -= 1
    return found


def texts(name: str, *, letters: str, longest: int) -> list[list[str]]:
    draw = stream(3, name)
    return [list(draw.choice(list(letters), size=int(draw.integers(0, longest)))) for _ in range(400)]


def test_lengths_are_those_of_the_textbook_table() -> None:
    for reference, answer in pairwise(texts("lengths", letters="abcdefgh", longest=90)):
        common = met(places(reference), answer)
        assert length(common, size=len(reference)) == by_table(reference, answer)[-1][-1]


def test_texts_of_thousands_of_words_are_as_any_other() -> None:
    reference = [f"w{number % 1500}" for number in range(3000)]
    assert places(reference)["w7"] == 1 << 7 | 1 << 1507
    assert length(met(places(reference), reference[1000:]), size=3000) == 2000


def test_runs_are_found_where_they_end() -> None:
    common = met(places("to be or not to be".split()), "not to be or to be".split())
    assert met({"to": 1}, ["be", "to"]) == [None, 1]
    assert runs(common, size=1) == [0b1000, 0b10001, 0b100010, 0b100, 0b10001, 0b100010]
    assert runs(common, size=2) == [0b10000, 0b100010, 0b100, 0b100010]  # not "or to"
    assert runs(common, size=3) == [0b100000, 0b100]
    assert runs([0b1, None, 0b10], size=2) == []
    assert runs(common, size=4) == runs([], size=1) == []


def test_the_words_met_in_each_lane_are_those_of_a_walk_back_through_its_table() -> None:
    # References know a to e, answers c to i: many words stand on one side only, and few subsequences are unique.
    references, answers = texts("lanes", letters="abcde", longest=12), texts("answers", letters="cdefghi", longest=12)
    for start in range(0, 396, 4):
        lanes, written = references[start : start + 4], answers[start : start + 4]
        expected, offset = 0, 0
        for lane in lanes:
            places = set().union(*(walked_back(lane, sentence) for sentence in written))
            expected |= sum(1 << place for place in places) << offset
            offset += len(lane) + 1
        assert union(Lanes(lanes), written) == expected


def test_no_words_have_nothing_in_common() -> None:
    assert length([], size=3) == length([], size=0) == 0
    few: list[list[list[str]]] = [[], [[]], [["a"]], [[], ["a"], []]]
    for reference in few:
        assert union(Lanes(reference), [[], ["b"]]) == 0
