"""The oracle is sacrebleu's own corpus_ter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import TER

from afters.metrics.metric import reduce
from afters.metrics.ter import Ter
from afters.records import Case, Example, Prediction
from afters.seeds import stream

WORDS = "the A cat dog sat ran on mat , . don't".split()


def case(answer: str | None, references: Sequence[str]) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", tuple(references))
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def ter(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    metric = Ter()
    rows = [metric.observe(case(answer, right)) for answer, right in zip(answers, references, strict=True)]
    return reduce(metric, rows)["ter"]


def texts(name: str, number: int, longest: int) -> list[str]:
    draw = stream(6, name)
    return [" ".join(draw.choice(WORDS, size=int(draw.integers(0, longest)))) for _ in range(number)]


@pytest.mark.parametrize("number", [1, 2, 5, 30])
@pytest.mark.parametrize("longest", [3, 6, 20])
def test_the_score_is_sacrebleus(number: int, longest: int) -> None:
    answers, first, second = (texts(name, number, longest) for name in ("answers", "first", "second"))
    expected = sacrebleu.corpus_ter(answers, [first, second]).score
    assert ter(answers, list(zip(first, second, strict=True))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_moving_a_run_of_words_is_one_edit() -> None:
    assert ter(["outside it is very cold"], [["it is very cold outside"]]) == pytest.approx(100 / 5)


def test_references_without_a_word_are_scored_as_by_sacrebleu() -> None:
    for answer in ("", "a cat"):
        assert ter([answer], [["", ""]]) == sacrebleu.corpus_ter([answer], [[""], [""]]).score


def test_replicates_are_scored_at_once() -> None:
    totals = np.array([[3.0, 12.0], [0.0, 5.0], [2.0, 0.0], [0.0, 0.0]])
    assert Ter().from_totals(totals)[:, 0].tolist() == [25.0, 0.0, 100.0, 0.0]


def test_no_answer_cannot_be_judged() -> None:
    assert Ter().observe(case(None, ["a cat"])) is None


def test_fewer_edits_are_better_and_the_signature_is_sacrebleus() -> None:
    assert Ter.direction == "lower"
    theirs = TER()
    theirs.corpus_score(["a"], [["a"]])
    assert f"nrefs:1|{Ter().signature}" == str(theirs.get_signature())
