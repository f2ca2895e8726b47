"""The oracle is sacrebleu's own corpus_bleu."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu

from afters.metrics.bleu import Bleu
from afters.metrics.metric import reduce
from afters.records import Case, Example, Prediction
from afters.seeds import stream

WORDS = "the a cat dog sat ran on under mat house , . 1,200 don't re-do".split()


def case(answer: str | None, references: Sequence[str]) -> Case:
    example = Example("1", "task", "rows.csv:1", "content", "plain", "prompt", tuple(references))
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def bleu(answers: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    metric = Bleu()
    rows = [metric.observe(case(answer, right)) for answer, right in zip(answers, references, strict=True)]
    return reduce(metric, rows)["bleu"]


def texts(name: str, number: int, longest: int) -> list[str]:
    draw = stream(4, name)
    return [" ".join(draw.choice(WORDS, size=int(draw.integers(1, longest)))) for _ in range(number)]


@pytest.mark.parametrize("number", [1, 2, 5, 60])
@pytest.mark.parametrize("longest", [3, 6, 30])
def test_the_score_is_sacrebleus(number: int, longest: int) -> None:
    answers, first, second = (texts(name, number, longest) for name in ("answers", "first", "second"))
    expected = sacrebleu.corpus_bleu(answers, [first, second]).score
    assert bleu(answers, list(zip(first, second, strict=True))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("I am very happy that I am drinking a cup of tea", 0.495),
        ("I am very happy that I am drinking a warm cup of tea", 0.730),
        ("I am very happy to say that I am drinking a warm tea", 0.798),
        ("I am very happy to say that I am drinking a warm cup of tea", 1.0),
    ],
)
def test_the_worked_example_comes_out(answer: str, expected: float) -> None:
    reference = "I am very happy to say that I am drinking a warm cup of tea"
    assert bleu([answer], [[reference]]) / 100 == pytest.approx(expected, abs=5e-4)


def test_nothing_in_common_and_nothing_written_are_zero() -> None:
    assert bleu(["dog dog dog dog"], [["a cat sat on"]]) == 0
    assert bleu([""], [["a cat sat on"]]) == 0


def test_replicates_are_scored_at_once() -> None:
    metric = Bleu()
    pairs = zip(texts("answers", 20, 20), texts("first", 20, 20), strict=True)
    made = [metric.observe(case(answer, [right])) for answer, right in pairs]
    rows = np.array(made, dtype=np.float64)
    counts = stream(4, "counts").multinomial(20, [1 / 20] * 20, size=50).astype(np.float64)
    one_by_one = [metric.from_totals((count @ rows)[None])[0, 0] for count in counts]
    assert metric.from_totals(counts @ rows)[:, 0].tolist() == pytest.approx(one_by_one, rel=1e-12)


def test_no_answer_or_only_empty_references_cannot_be_judged() -> None:
    assert Bleu().observe(case(None, ["a cat"])) is None
    assert Bleu().observe(case("a cat", ["", ""])) is None


def test_the_signature_names_tokenizer_smoothing_and_version() -> None:
    assert Bleu().signature == f"case:mixed|eff:no|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
