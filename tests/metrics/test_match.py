from __future__ import annotations

from collections.abc import Sequence

import pytest

from afters.metrics.match import Accuracy, ExactMatch
from afters.metrics.metric import reduce
from afters.records import Case, ChoiceScore, Example, Prediction


def example(*references: str, number: int = 1, choices: Sequence[str] = (), scores: Sequence[float] = ()) -> Example:
    return Example(
        str(number), "task", "rows.csv:1", "content", "plain", "prompt", references,
        choices=tuple(choices), choice_scores=tuple(scores),
    )  # fmt: skip


def case(asked: Example, *answers: str, logs: Sequence[float] = ()) -> Case:
    choices = tuple(ChoiceScore(value, 1) for value in logs)
    return Case(asked.id, "", (asked,), (Prediction(asked.id, answers, choices),))


def test_any_reference_will_do() -> None:
    exact = ExactMatch()
    assert exact.observe(case(example("yes", "yep"), " yep\n")) == (1.0, 1.0)
    assert exact.observe(case(example("yes", "yep"), "Yep")) == (0.0, 1.0)


def test_squad_normalisation_forgives_articles_and_case() -> None:
    assert ExactMatch(normalisation="squad").observe(case(example("cat"), "The Cat.")) == (1.0, 1.0)
    assert ExactMatch(normalisation="squad").signature != ExactMatch().signature


def test_no_answer_is_not_judged_and_an_empty_one_is_wrong() -> None:
    exact = ExactMatch()
    rows = [exact.observe(case(example("yes"), *answers)) for answers in ((), ("",), ("yes",))]
    assert rows == [None, (0.0, 1.0), (1.0, 1.0)]
    assert reduce(exact, rows) == {"exact_match": 0.5}


def test_a_group_is_right_when_all_of_it_is() -> None:
    asked = (example("yes", number=1), example("no", number=2))
    for answers, right in ((("yes", "no"), 1.0), (("yes", "yes"), 0.0)):
        predictions = tuple(Prediction(one.id, (answer,)) for one, answer in zip(asked, answers, strict=True))
        assert ExactMatch().observe(Case("1", "", asked, predictions)) == (right, 1.0)


def test_a_written_answer_is_compared_with_the_first_reference_whatever_its_case() -> None:
    accuracy = Accuracy()
    asked = example("Paris", "Rome", choices=("Paris", "Rome"))
    assert accuracy.observe(case(asked, " paris ")) == (1.0, 1.0)
    assert accuracy.observe(case(asked, "Rome")) == (0.0, 1.0)


def test_the_most_probable_choice_counts_where_probabilities_are_known() -> None:
    asked = example("Paris", choices=("Rome", "Paris"))
    assert Accuracy().observe(case(asked, "Rome", logs=(-2.0, -1.0))) == (1.0, 1.0)
    assert Accuracy().observe(case(asked, "Paris", logs=(-1.0, -1.0))) == (0.0, 1.0)  # of equals, the first


def test_scored_choices_are_right_when_none_scores_higher() -> None:
    asked = example("b", choices=("a", "b", "c"), scores=(1.0, 1.0, 0.5))
    assert [Accuracy().observe(case(asked, answer)) for answer in "abc"] == [(1.0, 1.0), (1.0, 1.0), (0.0, 1.0)]


def test_without_choices_or_without_an_answer_there_is_no_accuracy() -> None:
    assert Accuracy().observe(case(example("yes"), "yes")) is None
    assert Accuracy().observe(case(example("yes", choices=("yes", "no")))) is None


def test_an_answer_to_another_example_is_a_fault_of_ours() -> None:
    asked = example("yes", choices=("yes",))
    swapped = Case("1", "", (asked,), (Prediction("2", ("yes",)),))
    for metric in (ExactMatch(), Accuracy()):
        with pytest.raises(AssertionError):
            metric.observe(swapped)
