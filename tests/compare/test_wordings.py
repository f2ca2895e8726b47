from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from comparisons import Grade, graded

from afters.compare.change import compare
from afters.compare.every_wording import in_wordings
from afters.compare.wordings import Wordings, spread
from afters.errors import ComparisonRefused
from afters.records import Direction, Result

PROMPTS = {"long": "Please say it: {{ text }}", "short": "{{ text }}", "not asked": "{{ text }}?"}


class Loss(Grade):
    direction: Direction = "lower"


def found(before: dict[str, Result], after: dict[str, Result], metric: Grade | None = None) -> Wordings:
    why = {"not asked": "it is answered among choices"}
    return in_wordings(
        *(before, after, metric or Grade()), score="grade", decides="short", prompts=PROMPTS, left_out=why
    )


def two() -> Wordings:
    before = {"short": graded("before", [0.1, 0.2, 0.3, 0.4]), "long": graded("before", [0.2, 0.4, 0.4, 0.6])}
    after = {"short": graded("after", [0.5, 0.7, 0.6, 0.8]), "long": graded("after", [0.1, 0.6, 0.3, 0.5])}
    return found(before, after)


def test_the_spread_is_the_standard_deviation_of_a_sample() -> None:
    # The mean of 0.2, 0.3 and 0.7 is 0.4; its squares 0.04, 0.01 and 0.09 are divided by two: 0.07.
    assert spread([0.2, 0.3, 0.7]) == pytest.approx((3, 0.4, 0.2, 0.7, math.sqrt(0.07)))


def test_one_score_has_no_spread_and_what_is_unknown_counts_nowhere() -> None:
    alone = spread([0.5, math.nan])
    assert alone[:4] == (1, 0.5, 0.5, 0.5) and math.isnan(alone.standard_deviation)
    assert spread([]).wordings == 0 and math.isnan(spread([math.nan]).mean)


def test_each_wording_is_compared_as_the_verdict_is() -> None:
    long, short = two().each
    assert (long.wording, short.wording) == ("long", "short"), "the template's order"
    assert (short.before, short.after, short.difference) == pytest.approx((0.25, 0.65, 0.4))
    alone = compare(
        *(graded("before", [0.1, 0.2, 0.3, 0.4]), graded("after", [0.5, 0.7, 0.6, 0.8]), Grade()),
        score="grade",
        kind="tuning",
        primary=True,
    )
    assert (short.low, short.high) == (alone.low, alone.high)
    assert short.prompt == "{{ text }}" and short.unjudged == 0


def test_the_spread_of_before_after_and_difference_is_known() -> None:
    # Two numbers lie their distance over the root of two apart: 0.25 and 0.4, 0.65 and 0.375, 0.4 and -0.025.
    spreads = two().spreads
    by_hand = {"before": 0.15, "after": 0.275, "difference": 0.425}
    assert {name: one.standard_deviation * math.sqrt(2) for name, one in spreads.items()} == pytest.approx(by_hand)
    assert spreads["difference"].mean == pytest.approx(0.1875)


def test_it_is_counted_where_tuning_helped_or_harmed_and_where_that_is_clear() -> None:
    assert two().changed() == ((1, 1), (1, 0))
    falling = {"short": graded("before", [0.9, 0.8, 0.9, 0.8]), "long": graded("before", [0.5, 0.5, 0.5, 0.5])}
    after = {"short": graded("after", [0.1, 0.2, 0.2, 0.1]), "long": graded("after", [0.9, 0.1, 0.4, 0.5])}
    assert found(falling, after, Loss()).changed() == ((2, 1), (0, 0))


def test_a_wording_that_could_not_be_judged_is_told_and_stops_nobody() -> None:
    before = {"short": graded("before", [0.1, 0.2, 0.3]), "long": graded("before", [None, None, 0.5])}
    after = {"short": graded("after", [0.3, 0.5, 0.4]), "long": graded("after", [None, 0.4, 0.5])}
    made = found(before, after)
    assert math.isnan(made.each[0].difference) and made.each[0].unjudged == 3
    assert made.spreads["after"].wordings == 1 and made.changed() == ((1, 0), (0, 0))


def test_answers_to_other_questions_are_refused_not_told_as_unjudged() -> None:
    before, after = graded("before", [0.1, 0.2, 0.3]), graded("after", [0.3, 0.5, 0.4])
    other = replace(after, identity={**after.identity, "dataset": "of another wording"})
    with pytest.raises(ComparisonRefused, match="the dataset differs"):
        found({"short": before, "long": before}, {"short": after, "long": other})


def test_what_json_has_carried_is_the_same() -> None:
    plain = two().plain()
    assert set(plain["spread"]) == {"before", "after", "difference"}
    assert Wordings.read(json.loads(json.dumps(plain))) == two()
    null = {**plain, "each": [{**plain["each"][0], "low": None}]}
    assert math.isnan(Wordings.read(null).each[0].low)
