"""The oracle figures are scikit-learn 1.9.1's `f1_score`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from afters.metrics.labels import BinaryF1, MacroF1, MultiRc, label_counts
from afters.metrics.metric import Metric, reduce
from afters.records import Case, ChoiceScore, Example, Prediction

LETTERS = ("a", "b", "c")


def example(right: str, *, choices: Sequence[str] = LETTERS, number: int = 0, scores: Sequence[float] = ()) -> Example:
    return Example(
        str(number), "task", "rows.csv:1", "content", "plain", "prompt", (right,),
        choices=tuple(choices), choice_scores=tuple(scores),
    )  # fmt: skip


def case(right: str, made: str | None, *, choices: Sequence[str] = LETTERS) -> Case:
    return Case("0", "", (example(right, choices=choices),), (Prediction("0", () if made is None else (made,)),))


def cases(right: str, made: str, *, choices: Sequence[str] = LETTERS) -> list[Case]:
    return [case(*pair, choices=choices) for pair in zip(right.split(), made.split(), strict=True)]


def score(metric: Metric, judged: Sequence[Case]) -> dict[str, float]:
    return dict(reduce(metric, [metric.observe(one) for one in judged]))


def test_macro_f1_is_scikit_learns_and_another_answer_is_a_miss() -> None:
    # f1_score(right, made, labels=["a", "b", "c"], average="macro"); one "c" was answered with "x".
    judged = cases("a b c a c b a a b c c c a b", "a c c b c b a a x c a c a b")
    assert score(MacroF1(), judged)["macro_f1"] == pytest.approx(0.7238095238095239, rel=1e-12)


def test_labels_that_do_not_occur_do_not_count() -> None:
    judged = cases("a b a", "a b a", choices=("a", "b", "never"))
    assert score(MacroF1(), judged) == {"macro_f1": 1.0}


def test_binary_f1_is_scikit_learns() -> None:
    judged = cases("1 0 1 1 0 0 1 0 1 1", "1 0 0 1 1 0 1 0 1 0", choices=("0", "1"))
    expected = pytest.approx(0.7272727272727273, rel=1e-12)
    assert score(BinaryF1(), judged)["binary_f1"] == expected
    assert score(BinaryF1(positive=" 1"), judged)["binary_f1"] == expected
    assert score(BinaryF1(positive="0"), judged)["binary_f1"] == pytest.approx(2 / 3)
    assert score(MacroF1(), judged)["macro_f1"] == pytest.approx(0.696969696969697, rel=1e-12)


def test_a_label_that_is_not_offered_cannot_be_looked_for() -> None:
    assert BinaryF1().observe(case("a", "a")) is None, "the second of two, and there are three"
    assert BinaryF1(positive="d").observe(case("a", "a")) is None
    assert BinaryF1(positive="b").observe(case("a", "a")) == (0, 0, 0)


def test_a_label_that_never_comes_up_scores_zero() -> None:
    assert score(BinaryF1(), cases("0 0", "0 0", choices=("0", "1"))) == {"binary_f1": 0.0}


def test_no_choices_no_answer_and_a_reference_that_is_no_choice_cannot_be_judged() -> None:
    for unjudged in (case("a", "a", choices=()), case("a", None), case("d", "a")):
        assert [metric.observe(unjudged) for metric in (MacroF1(), BinaryF1(), MultiRc())] == [None] * 3


def test_the_most_probable_choice_is_the_one_made() -> None:
    weighed = Prediction("0", ("c",), choices=tuple(ChoiceScore(log, 1) for log in (-3.0, -1.0, -2.0)))
    assert label_counts(Case("0", "", (example("a"),), (weighed,))) == (0, 0, 1, 0, 1, 0, 0, 0, 0)


def test_of_several_right_choices_the_one_that_was_made_is_taken() -> None:
    asked = example("a", scores=(1.0, 0.0, 1.0))
    found = [label_counts(Case("0", "", (asked,), (Prediction("0", (made,)),))) for made in "cb"]
    assert found == [(0, 0, 0, 0, 0, 0, 1, 1, 1), (0, 0, 1, 0, 1, 0, 0, 0, 0)]


def test_cases_with_fewer_choices_add_up_with_those_that_have_more() -> None:
    rows = [case("b", "b", choices=("a", "b")), case("c", "b")]
    # b: one of two chosen is right, F1 2/3; c: missed, F1 0.
    assert score(MacroF1(), rows)["macro_f1"] == pytest.approx(1 / 3)


def question(right: str, made: str) -> Case:
    pairs = list(enumerate(zip(right.split(), made.split(), strict=True)))
    examples = tuple(example(one, choices=("false", "true"), number=number) for number, (one, _) in pairs)
    return Case("q", "", examples, tuple(Prediction(str(number), (answer,)) for number, (_, answer) in pairs))


def test_multirc_counts_answers_for_f1a_and_questions_for_em() -> None:
    judged = [question("true false true", "true false true"), question("true false", "true true")]
    # true: right 3 times, chosen 4 times, 3 of them right. One of two questions is wholly right.
    assert score(MultiRc(), judged) == {"multirc_f1a": pytest.approx(6 / 7), "multirc_em": 0.5}
    assert MultiRc(positive="false").signature != MultiRc().signature


def test_a_case_by_itself_is_right_or_wrong() -> None:
    rows = np.array([MacroF1().observe(case("a", made)) for made in "ab"], dtype=np.float64)
    assert MacroF1().from_totals(rows)[:, 0].tolist() == [1.0, 0.0]
