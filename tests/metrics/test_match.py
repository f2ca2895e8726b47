from __future__ import annotations

from collections.abc import Sequence

import pytest

from afters.metrics.match import Accuracy, ChoiceAccuracy, ExactMatch
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


def test_an_empty_answer_is_not_an_article_that_squad_normalisation_forgets() -> None:
    """As in HELM, whose quasi_exact_match gives 0 where nothing was said."""
    quasi = ExactMatch(normalisation="squad")
    assert [quasi.observe(case(example("A"), answer)) for answer in ("", " \n", "A")] == [(0, 1), (0, 1), (1, 1)]
    assert "version:2" in quasi.signature and "version:1" in ExactMatch().signature


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


def weighed(*choices: tuple[str, float, int], right: str) -> Case:
    asked = example(right, choices=[text for text, _, _ in choices])
    return Case(
        "1", "", (asked,), (Prediction("1", choices=tuple(ChoiceScore(log, size) for _, log, size in choices)),)
    )


def test_long_choices_are_not_at_a_loss_where_their_length_is_divided_by() -> None:
    # By choice -4 is best; by character -6 / 6; by byte "né" has 3, -4 / 3; by token -9 / 9.
    choices = (("né", -4.0, 2), ("abcdef", -6.0, 2), ("abcd", -9.0, 9))
    rows = [ChoiceAccuracy().observe(weighed(*choices, right=right)) for right, _, _ in choices]
    assert rows == [(1, 0, 0, 0, 1), (0, 1, 1, 0, 1), (0, 0, 0, 1, 1)]
    assert reduce(ChoiceAccuracy(), rows) == dict.fromkeys(ChoiceAccuracy().names, pytest.approx(1 / 3))


def test_bytes_and_characters_can_disagree() -> None:
    # 2 characters and 6 bytes: -3 / 2 loses to -5 / 4, -3 / 6 wins.
    row = ChoiceAccuracy().observe(weighed(("世界", -3.0, 1), ("abcd", -5.0, 1), right="世界"))
    assert row == (1, 0, 1, 1, 1)


def test_of_equally_probable_choices_the_first_is_made() -> None:
    for right, expected in (("ab", 1), ("cd", 0)):
        row = ChoiceAccuracy().observe(weighed(("ab", -1.0, 1), ("cd", -1.0, 1), right=right))
        assert row == (expected, expected, expected, expected, 1)


def test_choices_that_nobody_weighed_are_not_judged() -> None:
    asked = example("yes", choices=("yes", "no"))
    assert ChoiceAccuracy().observe(case(asked, "yes")) is None
    assert ChoiceAccuracy().observe(case(asked, logs=(-1.0, -float("inf")))) is None
    assert ChoiceAccuracy().observe(case(example("perhaps", choices=("yes", "no")), logs=(-1.0, -2.0))) is None


def test_an_empty_choice_has_no_length_to_divide_by() -> None:
    assert ChoiceAccuracy().observe(weighed(("", -1.0, 0), ("no", -5.0, 1), right="")) == (1, 1, 1, 1, 1)


def test_the_normalised_match_has_a_name_of_its_own() -> None:
    assert ExactMatch(normalisation="squad").names == ("quasi_exact_match",)
    assert ExactMatch().names == ("exact_match",)
