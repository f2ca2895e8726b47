"""The oracle is sacrebleu's own corpus_chrf."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from sacrebleu.metrics import CHRF

from afters.metrics.chrf import Chrf
from afters.metrics.metric import reduce
from afters.records import Case, Example, Prediction
from afters.seeds import stream

WORDS = "the a cat dog sat ran on under mat house , . 1,200 don't über 東京 re-do".split()


def case(answer: str | None, references: Sequence[str]) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", tuple(references))
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def chrf(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    metric = Chrf()
    rows = [metric.observe(case(answer, right)) for answer, right in zip(answers, references, strict=True)]
    return reduce(metric, rows)["chrf"]


def texts(name: str, number: int, longest: int) -> list[str]:
    draw = stream(5, name)
    return [" ".join(draw.choice(WORDS, size=int(draw.integers(0, longest)))) for _ in range(number)]


@pytest.mark.parametrize("number", [1, 2, 5, 60])
@pytest.mark.parametrize("longest", [2, 6, 30])
def test_the_score_is_sacrebleus(number: int, longest: int) -> None:
    answers, first, second = (texts(name, number, longest) for name in ("answers", "first", "second"))
    first = [text or "a" for text in first]
    expected = sacrebleu.corpus_chrf(answers, [first, second]).score
    assert chrf(answers, list(zip(first, second, strict=True))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_an_answer_that_is_longer_than_its_reference_is_counted_as_by_sacrebleu() -> None:
    expected = sacrebleu.corpus_chrf(["abcdef", "abc abc"], [["ab", "abc"]]).score
    assert chrf(["abcdef", "abc abc"], [["ab"], ["abc"]]) == pytest.approx(expected, rel=1e-12)


def test_nothing_in_common_and_nothing_written_are_zero() -> None:
    assert chrf(["xyz"], [["abc"]]) == 0
    assert chrf([""], [["abc"]]) == 0


def test_replicates_are_scored_at_once() -> None:
    metric = Chrf()
    pairs = zip(texts("answers", 20, 20), texts("first", 20, 20), strict=True)
    rows = np.array([metric.observe(case(answer, [right or "a"])) for answer, right in pairs], dtype=np.float64)
    counts = stream(5, "counts").multinomial(20, [1 / 20] * 20, size=50).astype(np.float64)
    one_by_one = [metric.from_totals((count @ rows)[None])[0, 0] for count in counts]
    assert metric.from_totals(counts @ rows)[:, 0].tolist() == pytest.approx(one_by_one, rel=1e-12)


def test_no_answer_or_only_empty_references_cannot_be_judged() -> None:
    assert Chrf().observe(case(None, ["a cat"])) is None
    assert Chrf().observe(case("a cat", ["", ""])) is None


def test_the_signature_is_sacrebleus() -> None:
    theirs = CHRF()
    theirs.corpus_score(["a"], [["a"]])
    assert f"nrefs:1|{Chrf().signature}" == str(theirs.get_signature())
