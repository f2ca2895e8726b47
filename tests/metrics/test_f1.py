"""HELM's set F1 is held against nltk's `f_measure`, which it calls; SQuAD's is worked by hand."""

from __future__ import annotations

from itertools import product

import pytest
from nltk.metrics.scores import f_measure

from afters.metrics.f1 import F1, SetF1
from afters.metrics.metric import reduce
from afters.metrics.text import squad_normalised
from afters.records import Case, Example, Prediction


def case(answer: str | None, *references: str) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", references)
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def f1(answer: str, *references: str) -> float:
    return reduce(F1(), [F1().observe(case(answer, *references))])["f1"]


def set_f1(answer: str, *references: str) -> float:
    return reduce(SetF1(), [SetF1().observe(case(answer, *references))])["set_f1"]


def test_words_count_as_often_as_both_have_them() -> None:
    # 2 words in common, of 4 written and 3 right: P = 1/2, R = 2/3.
    assert f1("The black cat, black dog", "a black cat meows") == pytest.approx(4 / 7)
    # As sets: black, cat, dog and black, cat, meows.
    assert set_f1("The black cat, black dog", "a black cat meows") == pytest.approx(2 / 3)
    assert f1("dog dog", "dog") == pytest.approx(2 / 3)
    assert set_f1("dog dog", "dog") == 1


def test_case_punctuation_and_articles_are_forgotten() -> None:
    assert f1("An Eiffel-Tower!", "the eiffeltower") == 1


def test_the_reference_that_fits_best_counts() -> None:
    assert f1("in Paris", "Rome", "Paris", "in Paris, France") == pytest.approx(4 / 5)
    assert set_f1("in Paris", "Rome", "Paris", "in Paris, France") == pytest.approx(4 / 5)


def test_nothing_written_is_right_when_nothing_is_to_be_written() -> None:
    assert [f1("", ""), f1("The", ""), f1("", "cat"), f1("cat", "")] == [1, 1, 0, 0]
    assert [set_f1("", ""), set_f1("cat", ""), set_f1("", "cat")] == [0, 0, 0]


def test_no_answer_is_not_judged() -> None:
    assert F1().observe(case(None, "cat")) is None
    assert SetF1().observe(case(None, "cat")) is None


def test_set_f1_is_helms() -> None:
    texts = ["the cat sat", "a dog", "Cat! cat? sat.", "", "dog sat on the mat", "the"]
    for answer, reference in product(texts, texts):
        sides = (set(squad_normalised(text).split()) for text in (reference, answer))
        assert set_f1(answer, reference) == pytest.approx(f_measure(*sides) or 0.0)


def test_a_case_of_several_examples_gets_their_mean() -> None:
    pair = (case("cat", "cat"), case("dog", "cat"))
    examples, predictions = ([getattr(one, name)[0] for one in pair] for name in ("examples", "predictions"))
    assert F1().observe(Case("1", "", tuple(examples), tuple(predictions))) == (0.5, 1.0)
