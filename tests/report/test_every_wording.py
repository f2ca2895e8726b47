"""What a study judged in all wordings tells, in every form; the numbers are written by hand."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from afters.compare.wordings import InWording, Wordings
from afters.report.blocks import Paragraph, Points, Table
from afters.report.document import Told, build
from afters.report.export import model_card, verdict_json
from afters.report.page import render
from afters.report.terminal import print_document

EACH = (
    InWording("plain", "Which team? {{ message }}", 0.25, 0.5, 0.25, 0.1, 0.4, 0),
    InWording("<b>odd", f"<script>{'long ' * 60}", 0.5, 0.5, 0.0, -0.1, 0.1, 2),
    InWording("short", "{{ message }}", 0.75, 1.0, 0.25, -0.05, 0.55, 0),
)
FOUND = Wordings("chats", "overlap1", "higher", "plain", EACH, {"dialogue": "it shows the answer"})


@pytest.fixture
def worded(told: Told) -> Told:
    return replace(told, wordings=(FOUND,))


def table(told: Told) -> Table:
    (found,) = (block for block in build(told).section("wordings").blocks if isinstance(block, Table))
    return found


def shell(told: Told) -> str:
    said = io.StringIO()
    print_document(build(told), Console(file=said, width=110), page="report.html")
    return said.getvalue()


def test_where_one_wording_was_judged_nothing_is_told(told: Told) -> None:
    assert "wordings" not in [section.id for section in build(told).sections]
    assert "wordings" not in json.loads(verdict_json(told)) and "Every wording" not in render(build(told))


def test_a_line_for_each_wording_has_its_scores_its_difference_and_the_interval(worded: Told) -> None:
    first, odd, _, *_ = table(worded).rows
    assert [cell.text for cell in first] == ["plain (decides)", "0.250", "0.500", "+0.250"]
    assert first[0].note == "Which team? {{ message }}" and first[3].note == "+0.100 to +0.400"
    assert odd[3].note == "−0.100 to +0.100; 2 not judged" and odd[0].note.endswith("…")


def test_below_stand_mean_least_most_and_the_standard_deviation(worded: Told) -> None:
    # before 0.25, 0.5, 0.75: 0.25 apart; after 0.5, 0.5, 1: the root of a twelfth; difference 0.25, 0, 0.25: of a 48th.
    lines = [[cell.text for cell in row] for row in table(worded).rows[3:]]
    assert lines == [
        ["Mean", "0.500", "0.667", "+0.167"],
        ["Least", "0.250", "0.500", "0.000"],
        ["Most", "0.750", "1.000", "+0.250"],
        ["Standard deviation (n = 3)", "0.250", "0.289", "0.144"],
    ]


def test_it_is_said_in_words_where_tuning_helped_what_was_left_out_and_what_the_spread_is(worded: Told) -> None:
    blocks = build(worded).section("wordings").blocks
    words = " ".join(block.text for block in blocks if isinstance(block, Paragraph))
    assert "better in 2 of 3 wordings, and worse in 0; the interval" in words and "zero in 1 and 0 of these" in words
    assert "overlap1 lies between 0.250 and 0.750 (standard deviation 0.250) before" in words
    assert "between 0.500 and 1.000 (standard deviation 0.289) after" in words
    assert "standard deviation is that of a sample" in words and "none of them is tested" in words
    (points,) = (block for block in blocks if isinstance(block, Points))
    assert points.items == ("Not judged in the wording 'dialogue': it shows the answer.",)


def test_page_shell_card_and_json_tell_the_same_numbers(worded: Told) -> None:
    for said in (render(build(worded)), shell(worded), model_card(worded, base="afters-tiny")):
        assert "Standard deviation (n = 3)" in said and "0.289" in said and "0.144" in said
        assert "better in 2 of 3 wordings" in said
    (found,) = json.loads(verdict_json(worded))["wordings"]
    assert found["task"] == "chats" and [one["after"] for one in found["each"]] == [0.5, 0.5, 1.0]
    assert found["spread"]["after"]["standard_deviation"] == pytest.approx(math.sqrt(1 / 12))
    assert Wordings.read(found) == FOUND


def test_they_are_no_part_of_the_comparisons(told: Told, worded: Told) -> None:
    assert json.loads(verdict_json(worded))["comparisons"] == json.loads(verdict_json(told))["comparisons"]
    assert build(worded).section("comparisons") == build(told).section("comparisons")


def test_what_a_wording_says_acts_nowhere(worded: Told) -> None:
    page = render(build(worded))
    assert "<b>odd" not in page and "<script>" not in page and "&lt;b&gt;odd" in page


def test_a_wording_without_a_score_is_shown_as_such(told: Told) -> None:
    nothing = InWording("mute", "{{ message }}", *(math.nan,) * 5, unjudged=12)
    rows = table(replace(told, wordings=(replace(FOUND, each=(*EACH, nothing)),))).rows
    assert [cell.text for cell in rows[3]] == ["mute", "–", "–", "–"] and rows[3][3].note == "12 not judged"
    assert rows[-1][0].text == "Standard deviation (n = 3)"
