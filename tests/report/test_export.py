from __future__ import annotations

import json
import math
import re
from dataclasses import fields, replace

from afters.records import Comparison, Score
from afters.report.document import Told
from afters.report.export import model_card, verdict_json


def test_the_primary_comparison_comes_first_with_all_its_fields(told: Told) -> None:
    found = json.loads(verdict_json(told))
    assert found["schema"] == "afters.verdict/1"
    assert [one["primary"] for one in found["comparisons"]] == [True, False, False, False]
    assert set(found["comparisons"][0]) == {field.name for field in fields(Comparison)}
    assert found["comparisons"][0]["difference"] == 0.2
    assert found["comparisons"][0]["verdict"] == "improved"


def test_every_score_is_there_under_its_result(told: Told) -> None:
    found = json.loads(verdict_json(told))["scores"]
    assert set(found[0]) == {"result", "task", *(field.name for field in fields(Score))}
    expected = {(result.label, score.name): score.value for result in told.results for score in result.scores}
    assert {(one["result"], one["name"]) for one in found} == set(expected)
    assert all(math.isclose(one["value"], expected[one["result"], one["name"]], rel_tol=1e-11) for one in found)


def test_numbers_that_differ_only_in_the_last_digits_give_the_same_file(told: Told) -> None:
    first = told.comparisons[0]
    nudged = replace(first, low=math.nextafter(first.low, 1.0), difference=0.1 + 0.1)
    assert verdict_json(replace(told, comparisons=(nudged, *told.comparisons[1:]))) == verdict_json(told)
    moved = replace(first, low=first.low + 1e-9)
    assert verdict_json(replace(told, comparisons=(moved, *told.comparisons[1:]))) != verdict_json(told)


def test_what_differs_between_equal_runs_is_not_in_the_file(told: Told) -> None:
    slower = tuple(replace(result, seconds=result.seconds * 2, identity={"path": "/x"}) for result in told.results)
    assert verdict_json(replace(told, results=slower, costs={"train_seconds": 1.0}, versions={})) == verdict_json(told)


def test_a_number_that_is_not_finite_is_null(told: Told) -> None:
    broken = replace(told.comparisons[0], p_value=math.nan, detectable=math.inf)
    found = json.loads(verdict_json(replace(told, comparisons=(broken,))))
    assert found["comparisons"][0]["p_value"] is None and found["comparisons"][0]["detectable"] is None


def test_the_card_tells_scores_verdict_counts_settings_and_what_it_cannot_say(told: Told) -> None:
    card = model_card(told, base="afters-tiny")
    assert card.startswith('---\nbase_model: "afters-tiny"\n')
    assert "**Improved.** Fine-tuning improved overlap1 from 0.327 to 0.527" in card
    for words in ("0.350 (0.280 to 0.430)", "0.527 (0.457 to 0.607; 1 not judged)", "| Train | 1,203 | 1,200 | 3 |"):
        assert words in card
    assert "- One seed was run." in card and "| train.epochs | 3 |" in card


def test_the_card_quotes_no_row(told: Told, hostile: tuple[str, ...]) -> None:
    card = model_card(told, base="afters-tiny")
    assert "onerror" not in card and "chats.csv" not in card and hostile[-1] not in card


def test_marks_in_names_do_not_act_in_the_card(told: Told) -> None:
    card = model_card(replace(told, name="a | b\n# c <img src=x> [l](http://evil.example)"), base='x"\ntags: y')
    assert r"# a \| b \# c \<img src=x\> \[l\](http://evil.example)" in card
    assert 'base_model: "x\\"\\u000atags: y"' in card or r'base_model: "x\"\ntags: y"' in card
    assert not re.search(r"(?<!\\)<[a-z]", card)
