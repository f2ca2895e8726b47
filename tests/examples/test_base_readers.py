"""The readers of what is taught: as many rows as the survey says, in the shape that the templates ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.base import overlap, readers, sources
from examples.base.readers import READERS, Sides

CHECKED = {
    "intent": ("text", 3_080),
    "commonsense": ("question", 1_221),
    "cause": ("premise", 0),
    "claims": ("claim", 0),
    "science": ("question", 0),
    "arithmetic_stories": ("question", 1_319),
    "toxicity": ("text", 1_700),
    "instructions": ("instruction", 0),
    "parts": ("whole", 0),
}
"""For each reader, the column that a row is known by, and its judging rows."""


def test_every_data_set_that_is_taken_has_a_reader() -> None:
    prose = {"novels", "speeches", "shakespeare"}
    assert {*READERS} - {"prose"} == {entry.name for entry in sources.survey().taken} - prose


def test_a_passage_is_cut_at_the_space_nearest_to_its_middle() -> None:
    assert readers.halves("ab cd ef gh")["first"] in ("ab cd", "ab cd ef")
    cut = readers.halves("one two three four")
    assert f"{cut['first']} {cut['second']}" == cut["text"]


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("You are a nasty bisexual", "bisexual"),
        ("i hate middle aged", "middle aged"),
        ("Being african american is great.", "african american"),
        ("Léa is a moronic mexican", "mexican"),
        ("destroy latino", "latino"),
    ],
)
def test_the_group_of_people_in_a_madlib_is_found(text: str, term: str) -> None:
    assert readers._term(text) == term


@pytest.fixture(scope="module")
def read(data_folder: Path) -> dict[str, Sides]:
    return {name: READERS[name](data_folder) for name in CHECKED}


@pytest.mark.data
@pytest.mark.parametrize("name", CHECKED)
def test_rows_are_as_many_as_the_survey_says(name: str, read: dict[str, Sides]) -> None:
    taught, judged = read[name]
    assert (len(taught), len(judged)) == (sources.taken(name).rows, CHECKED[name][1])


@pytest.mark.data
@pytest.mark.parametrize("name", CHECKED)
def test_no_field_is_empty_and_every_row_has_the_same_fields(name: str, read: dict[str, Sides]) -> None:
    for row in (*read[name].taught, *read[name].judged):
        assert row.keys() == read[name].taught[0].keys()
        assert row[CHECKED[name][0]].strip(), row


@pytest.mark.data
@pytest.mark.parametrize("name", ["intent", "science"])
def test_the_answer_is_one_of_the_options(name: str, read: dict[str, Sides]) -> None:
    for row in (*read[name].taught, *read[name].judged):
        options = row["options" if name == "intent" else "choices"]
        assert options.count(row["answer"]) == 1 and len(set(options)) == len(options), row


@pytest.mark.data
def test_judging_rows_of_banking77_offer_ten_intents(read: dict[str, Sides]) -> None:
    assert {len(row["options"]) for row in read["intent"].judged} == {10}
    assert {len(row["options"]) for row in read["intent"].taught} == set(range(2, 11))


@pytest.mark.data
def test_templates_of_the_madlibs_are_taught_or_judged_and_never_both(read: dict[str, Sides]) -> None:
    taught, judged = ({row["pattern"] for row in side} for side in read["toxicity"])
    assert not taught & judged
    for side in read["toxicity"]:
        assert 0.4 < sum(row["toxicity"] for row in side) / len(side) < 0.6
    assert all(row["term"] for side in read["toxicity"] for row in side)


@pytest.mark.data
def test_worked_sums_have_no_marks_of_a_calculator(read: dict[str, Sides]) -> None:
    for row in read["arithmetic_stories"].taught:
        assert "<<" not in row["steps"] and "####" not in row["steps"]


@pytest.mark.data
@pytest.mark.parametrize("name", ["intent", "commonsense", "arithmetic_stories", "toxicity"])
def test_no_judging_row_says_what_a_teaching_row_says(name: str, read: dict[str, Sides]) -> None:
    taught, judged = read[name]
    assert overlap.apart(taught, judged, column=CHECKED[name][0]) == taught
