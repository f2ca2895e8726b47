from __future__ import annotations

import math
from dataclasses import replace

from afters.records import Case
from afters.report.blocks import JudgedRows, Paragraph
from afters.report.judged import Change, chosen, judged_rows, marked
from afters.report.judged import changes as between
from afters.report.told import Told


def changes(told: Told) -> list[Change]:
    first = told.headline
    before, after = (told.result(side, task=first.task) for side in (first.before, first.after))
    return between(before, after, told.metric, first)


def change(gain: float) -> Change:
    case = Case(str(gain), "", (), ())
    return Change(case, case, 0.5, 0.5 + gain, gain)


def gains(*values: float) -> list[float]:
    return [one.gain for one in chosen([change(value) for value in values], most=4)]


def test_half_of_what_is_shown_is_worse_where_enough_got_worse() -> None:
    assert gains(0.6, -0.1, 0.9, -0.3, 0.0, 0.7, -0.2, 0.8) == [0.9, 0.8, -0.3, -0.2]


def test_where_few_got_worse_all_of_them_are_shown() -> None:
    assert gains(0.9, 0.8, 0.7, 0.6, -0.1) == [0.9, 0.8, 0.7, -0.1]


def test_where_few_got_better_the_worsened_fill_up() -> None:
    assert gains(0.9, -0.1, -0.2, -0.3, -0.4) == [0.9, -0.4, -0.3, -0.2]


def test_where_nothing_changed_the_first_rows_are_shown() -> None:
    assert gains(0.0, 0.0, 0.0) == [0.0, 0.0]


def test_a_case_that_one_side_could_not_judge_is_no_change(told: Told) -> None:
    assert [change.before.id for change in changes(told)] == [f"row-{place}" for place in range(11)]


def test_a_case_whose_own_score_is_no_number_is_no_change(told: Told) -> None:
    before = told.results[0]
    broken = replace(before, rows={"overlap": ((math.nan, 0.0, 1.0), *before.rows["overlap"][1:])})
    assert [change.before.id for change in changes(replace(told, results=(broken, *told.results[1:])))][0] == "row-1"


def test_where_no_row_has_a_score_of_its_own_that_is_said(told: Told) -> None:
    alone = [replace(one, rows={"overlap": ((math.nan, 0.0, 1.0),) * len(one.cases)}) for one in told.results]
    (said,) = judged_rows(replace(told, results=tuple(alone))).blocks
    assert isinstance(said, Paragraph) and "has no" in said.text


def test_cases_meet_by_id_not_by_place(told: Told) -> None:
    after = told.results[-1]
    turned = replace(after, cases=after.cases[::-1], rows={"overlap": after.rows["overlap"][::-1]})
    assert changes(replace(told, results=(*told.results[:-1], turned))) == changes(told)


def test_a_gain_is_a_fall_where_lower_is_better(told: Told) -> None:
    lower = replace(told, comparisons=(replace(told.headline, direction="lower"),))
    assert [one.gain for one in changes(lower)] == [-one.gain for one in changes(told)]


def test_what_is_shown_and_what_is_not_add_up(told: Told) -> None:
    said, shown = judged_rows(told).blocks
    assert isinstance(said, Paragraph) and isinstance(shown, JudgedRows)
    assert len(shown.rows) == 9  # 7 rose, 2 fell, 2 stayed
    assert "7 got better, 2 got worse and 2 stayed the same" in said.text
    assert "7 of the most improved and 2 of the most worsened; 2 rows are not shown" in said.text


def test_marks_follow_the_nearest_reference_and_lose_no_letter() -> None:
    text = "The parcel, sent on  Tuesday!"
    words = marked(text, references=["nothing alike", "parcel sent tuesday"])
    assert "".join(word.text for word in words) == text
    assert [word.text.strip() for word in words if word.shared] == ["parcel, sent", "Tuesday!"]


def test_an_answer_without_references_is_not_marked() -> None:
    assert [word.shared for word in marked("text", references=[])] == [False]
    assert marked("", references=["a"]) == ()
