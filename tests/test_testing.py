from __future__ import annotations

import doctest
import math

import pytest

from afters import testing
from afters.model.protocol import LanguageModel
from afters.records import Decoding
from afters.testing import ScriptedModel, examples

ROWS = (("Is it cold?", "yes"), ("Is it late?", "no"), ("Is it new?", "yes"))


def test_a_scripted_model_answers_from_a_table_or_a_function() -> None:
    table: LanguageModel = ScriptedModel({"Is it cold?": "yes", "Is it new?": "no"}, batch_rows=2)
    function: LanguageModel = ScriptedModel(str.upper)
    batches = list(table.generate(examples(*ROWS), Decoding()))
    assert [[one.answers for one in batch] for batch in batches] == [[("yes",), ("",)], [("no",)]]
    (batch,) = function.generate(examples(*ROWS), Decoding(max_new_tokens=2))
    assert [(one.answers, one.finished) for one in batch] == [(("IS IT",), False)] * 3


def test_a_scripted_model_prefers_the_choice_it_would_write() -> None:
    model: LanguageModel = ScriptedModel({"Is it cold?": "no"})
    (batch,) = model.loglikelihood(examples(*ROWS[:2], choices=("yes", "no", "maybe")))
    sure, unsure = ([math.exp(choice.log_probability) for choice in one.choices] for one in batch)
    assert sure == pytest.approx([0.05, 0.9, 0.05])
    assert len(set(unsure)) == 1


def test_a_scripted_model_skips_batches_that_are_wholly_done() -> None:
    model = ScriptedModel({}, batch_rows=2)
    asked = [[one.example for one in batch] for batch in model.generate(examples(*ROWS), Decoding(), done={"0", "1"})]
    assert asked == [["2"]]
    assert model.asked == ["2"]
    list(model.generate(examples(*ROWS), Decoding(), done={"0"}))
    assert model.asked == ["2", "0", "1", "2"]


def test_the_examples_in_its_docstrings_run() -> None:
    assert doctest.testmod(testing).failed == 0
