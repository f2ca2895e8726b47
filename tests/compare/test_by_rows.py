from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from comparisons import Grade, graded

from afters.compare.by_rows import by_rows
from afters.compare.change import compare
from afters.compare.rows import RowCurve
from afters.errors import ComparisonRefused
from afters.records import Direction, Result, Score

BASE = [0.1, 0.2, 0.3, 0.2, 0.1, 0.3]


class Loss(Grade):
    direction: Direction = "lower"


def scored(label: str, values: Sequence[float | None], *, ends: tuple[float, float] | None = (0.0, 1.0)) -> Result:
    """A Result with its mean as a score, and an interval written by hand."""
    judged = [value for value in values if value is not None]
    low, high = ends or (None, None)
    mean = sum(judged) / len(judged)
    score = Score("grade", "grade", mean, "case", "higher", len(judged), 0, "version:1", low=low, high=high)
    return replace(graded(label, values), scores=(score,))


def raised(by: Sequence[float], *, times: float = 1.0) -> list[float]:
    return [times * (value + more) for value, more in zip(BASE, by, strict=True)]


def found(results: dict[int, Result], metric: Grade | None = None, *, effect: float = 0.0) -> RowCurve:
    own = {rows: rows // 2 for rows in results}
    return by_rows(results, metric or Grade(), score="grade", own_rows=own, smallest_effect=effect, left_out=(900,))


def three() -> dict[int, Result]:
    """Means of 0.2, then 0.35 and 0.4: three quarters of the gain, and the rest clear only where Cases are paired."""
    return {
        0: scored("before", BASE),
        100: scored("rows=100", raised([0.10, 0.20, 0.15, 0.15, 0.20, 0.10]), ends=(0.3, 0.4)),
        400: scored("after", raised([0.16, 0.24, 0.21, 0.19, 0.24, 0.16]), ends=None),
    }


def test_each_number_has_its_score_its_gain_and_its_share_of_the_whole() -> None:
    curve = found(three())
    assert [one.rows for one in curve.each] == [0, 100, 400] and [one.own_rows for one in curve.each] == [0, 50, 200]
    assert [one.value for one in curve.each] == pytest.approx([0.2, 0.35, 0.4])
    assert [one.gain.value for one in curve.each] == pytest.approx([0, 0.15, 0.2])
    assert [curve.share(one) for one in curve.each] == pytest.approx([0, 0.75, 1])
    assert (curve.each[1].low, curve.each[1].high) == (0.3, 0.4) and math.isnan(curve.each[2].low)
    assert curve.left_out == (900,)


def test_a_gain_is_compared_as_the_verdict_is() -> None:
    results = three()
    alone = compare(results[0], results[400], Grade(), score="grade", kind="tuning", primary=True)
    whole = found(results).whole.gain
    assert (whole.value, whole.low, whole.high) == (alone.difference, alone.low, alone.high)


def test_the_last_rows_are_held_against_the_number_before_case_by_case() -> None:
    curve = found(three(), effect=0.1)
    assert curve.last is not None and curve.last.value == pytest.approx(0.05)
    # 0.06, 0.04 three times each: their interval is far narrower than those of the scores.
    assert 0.03 < curve.last.low < curve.last.high < 0.07
    assert (curve.last_rows, curve.last_too_small) == ("better", True)
    assert not found(three(), effect=0.04).last_too_small


@pytest.mark.parametrize(("more", "word"), [([0.3, -0.3, 0.3, -0.3, 0.2, -0.2], "unclear"), ([-0.05] * 6, "worse")])
def test_where_the_last_rows_did_harm_or_nothing_clear_that_is_known(more: list[float], word: str) -> None:
    results = three()
    at = [value + change for value, change in zip(raised([0.2] * 6), more, strict=True)]
    assert found({**results, 100: scored("rows=100", raised([0.2] * 6)), 400: scored("after", at)}).last_rows == word


def test_where_less_is_better_a_fall_is_a_gain() -> None:
    results = {rows: replace(one, label=one.label) for rows, one in three().items()}
    turned = {rows: scored(one.label, [1 - (case[0] if case else 0) for case in one.rows["grade"]])
              for rows, one in results.items()}  # fmt: skip
    curve = found(turned, Loss(), effect=0.1)
    assert curve.gained and [curve.share(one) for one in curve.each] == pytest.approx([0, 0.75, 1])
    assert (curve.last_rows, curve.last_too_small) == ("better", True)
    assert not found(turned, Grade()).gained and found(turned, Grade()).last_rows == "worse"


def test_where_all_rows_gave_nothing_clear_no_share_is_told() -> None:
    luck = raised([0.3, -0.3, 0.3, -0.3, 0.2, -0.1])
    curve = found({0: scored("before", BASE), 100: scored("rows=100", raised([0.1] * 6)), 400: scored("after", luck)})
    assert not curve.gained and all(math.isnan(curve.share(one)) for one in curve.each)


def test_without_a_smaller_number_nothing_is_said_of_the_last_rows() -> None:
    results = three()
    curve = found({0: results[0], 400: results[400]})
    assert curve.last is None and [one.rows for one in curve.each] == [0, 400]


def test_too_few_judged_cases_are_told_and_stop_nobody() -> None:
    curve = found({**three(), 100: scored("rows=100", [None, None, None, None, None, 0.5])})
    assert math.isnan(curve.each[1].gain.low) and curve.each[1].unjudged == 6
    assert curve.last is not None and math.isnan(curve.last.value) and curve.last_rows == "unclear"
    assert not curve.last_too_small


def test_answers_to_other_questions_are_refused() -> None:
    results = three()
    other = replace(results[100], identity={**results[100].identity, "dataset": "other"})
    with pytest.raises(ComparisonRefused, match="the dataset differs"):
        found({**results, 100: other})


def test_what_json_has_carried_is_the_same() -> None:
    curve = found(three())
    plain = curve.plain()
    assert [one["share_of_gain"] for one in plain["each"]] == pytest.approx([0, 0.75, 1])
    assert plain["last_rows"] == "better"
    known = json.loads(json.dumps(plain))
    known["each"][2] |= {"low": None, "high": None}
    assert repr(RowCurve.read(known)) == repr(curve), "nan equals nothing"
    short = found({0: three()[0], 400: three()[400]}).plain()
    assert short["last"] is None and short["last_rows"] is None and RowCurve.read(short).last is None
