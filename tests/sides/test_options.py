"""A score of a run counts as the run counted it, by the options of its study."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from on_disk import MakeRun, Write

from afters.errors import ComparisonRefused
from afters.metrics.match import ExactMatch
from afters.metrics.table import metric_for
from afters.records import Comparison
from afters.sides.compare import compare_sides
from afters.sides.runs import OPTIONS
from afters.sides.scoring import ANEW, metric_of


class Way(NamedTuple):
    """Options that make an answer right or wrong that would otherwise be neither."""

    options: Mapping[str, Any]
    score: str
    wrong: str
    right: str
    references: tuple[str, ...]
    choices: tuple[str, ...] = ()

    def run(self, make_run: MakeRun, name: str, *, wrong: int = 0, **more: Any) -> Path:
        """Write a run that was judged so: all wrong before, all but the last `wrong` right after."""
        settings: dict[str, Any] = {
            "judged_by": [metric_for(self.score, **self.options)],
            "options": self.options,
            "references": self.references,
            "choices": self.choices,
            "before": [self.wrong] * 20,
            "after": [self.right] * (20 - wrong) + [self.wrong] * wrong,
        }
        return make_run(name, **(settings | more))


CYRILLIC = Way({"words": "unicode"}, "rouge1", "нет", "да", ("да",))
WAYS = {
    "words": CYRILLIC,
    "stem": Way({"stem": False}, "rouge1", "cats", "cat", ("cat",)),
    "best_reference": Way({"best_reference": True}, "rouge1", "bird", "cat", ("cat", "dog")),
    "several": Way({"words": "unicode", "stem": False, "best_reference": True}, "rouge1", "кот", "пёс", ("пёс", "cat")),
    "positive": Way({"positive": "yes"}, "binary_f1", "no", "yes", ("yes",), ("yes", "no", "perhaps")),
}


def values(found: Comparison) -> tuple[float, float]:
    return found.before_value, found.after_value


def refused(*sides: Path | str, **options: Any) -> str:
    with pytest.raises(ComparisonRefused) as raised:
        compare_sides(sides[:1], sides[1:], **options)
    return str(raised.value)


def test_a_studys_options_are_all_that_a_metric_takes() -> None:
    assert set(OPTIONS) == set(inspect.signature(metric_for).parameters) - {"name"}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_run_is_compared_by_the_options_that_it_was_judged_with(make_run: MakeRun, way: Way) -> None:
    first, last = way.run(make_run, "first"), way.run(make_run, "last")
    told = compare_sides([first])
    assert values(told.headline) == (0, 1)
    signature = metric_for(way.score, **way.options).signature
    assert {one.signature for result in told.results for one in result.scores} == {signature}
    assert values(compare_sides([f"{first}:before"], [last]).headline) == (0, 1)


def test_the_runs_of_a_recipe_are_compared_so_too(make_run: MakeRun) -> None:
    seeds = [CYRILLIC.run(make_run, f"seed{wrong}", wrong=wrong) for wrong in range(3)]
    found = compare_sides([f"{seeds[0]}:before"], seeds).headline
    assert found.after_seeds == 3
    assert values(found) == pytest.approx((0, 0.95))


def test_a_prediction_file_beside_a_run_is_scored_as_the_run_was(make_run: MakeRun, lines: Write) -> None:
    run = CYRILLIC.run(make_run, "run", task="answers")
    file = lines("other.jsonl", [{"id": f"q{number:03}", "prediction": "да"} for number in range(20)])
    sides = [f"{run}:before", str(file)]
    assert values(compare_sides(sides[:1], sides[1:], metrics=["rouge1"]).headline) == (0, 1)
    assert values(compare_sides(sides[1:], sides[:1], metrics=["rouge1"]).headline) == (1, 0)


def test_a_score_that_no_run_was_judged_by_has_the_options_of_the_study(make_run: MakeRun) -> None:
    run = CYRILLIC.run(make_run, "run", judged_by=[ExactMatch()])
    assert values(compare_sides([run], metrics=["rouge1"]).headline) == (0, 1)
    usual = CYRILLIC.run(make_run, "usual", judged_by=[ExactMatch()], options={})
    said = refused(run, usual, metrics=["rouge1"])
    assert "run against usual: rouge is not counted alike on every side" in said
    assert values(compare_sides([run], [usual], metrics=["exact_match"]).headline) == (1, 1)


def test_a_run_that_was_judged_by_it_says_how_it_counts_for_one_that_was_not(make_run: MakeRun) -> None:
    judged = CYRILLIC.run(make_run, "judged")
    other = CYRILLIC.run(make_run, "other", judged_by=[ExactMatch()], options={})
    assert values(compare_sides([f"{other}:before"], [judged], metrics=["rouge1"]).headline) == (0, 1)


def test_runs_that_count_a_score_differently_are_refused_with_both_signatures(make_run: MakeRun) -> None:
    every, few = CYRILLIC.run(make_run, "unicode"), CYRILLIC._replace(options={}).run(make_run, "ascii")
    assert refused(few, every).splitlines() == [
        "ascii against unicode: rouge is not counted alike on every side",
        "  expected: refs:mean|stem:yes|split:newline|like:rouge_score-0.1.2 (ascii)",
        "  received: refs:mean|stem:yes|split:newline|words:unicode|version:1 (unicode)",
        f"  {ANEW}",
    ]
    third = CYRILLIC.run(make_run, "third")
    with pytest.raises(ComparisonRefused, match="third against ascii: rouge is not counted alike"):
        compare_sides([third], [every, few])


def test_where_no_study_is_at_hand_the_usual_options_are_tried(make_run: MakeRun) -> None:
    run = WAYS["best_reference"].run(make_run, "run")
    (result,) = (one for one in compare_sides([run]).results if one.label == "after")
    found = metric_of("rouge1", [result], columns=(), lower=None)
    assert found.signature == metric_for("rouge1", best_reference=True).signature
    assert metric_of("rouge1", [], columns=(), lower=None).signature == metric_for("rouge1").signature


def test_a_score_that_the_study_does_not_give_here_is_refused_and_not_made_anew(make_run: MakeRun) -> None:
    run = CYRILLIC.run(make_run, "old")
    for file in run.glob("results/*/scores.json"):
        scores = json.loads(file.read_text())
        file.write_text(json.dumps([{**one, "signature": "refs:mean|version:0"} for one in scores]))
    said = refused(f"{run}:before", run)
    assert "old:before was judged by a rouge that its settings do not make here" in said
    assert "words:unicode|version:1 (its settings, in this version)" in said
    assert "received: refs:mean|version:0 (its scores)" in said
    assert values(compare_sides([run], metrics=["exact_match"]).headline) == (0, 1)
