"""The oracles are scipy's correlations and, for Matthews, figures of scikit-learn 1.9.1's `matthews_corrcoef`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from afters.metrics.correlation import Matthews, Pearson, Spearman
from afters.metrics.metric import Array, Metric, reduce
from afters.records import Case, Example, Prediction
from afters.seeds import stream


def case(answer: str | None, reference: str, *, choices: Sequence[str] = ()) -> Case:
    example = Example("1", "t", "rows.csv:1", "content", "plain", "prompt", (reference,), choices=tuple(choices))
    return Case("1", "", (example,), (Prediction("1", () if answer is None else (answer,)),))


def score(metric: Metric, judged: Sequence[Case]) -> float:
    (value,) = reduce(metric, [metric.observe(one) for one in judged]).values()
    return value


def matthews(right: str, made: str, choices: str) -> float:
    pairs = zip(right.split(), made.split(), strict=True)
    return score(Matthews(), [case(answer, reference, choices=choices.split()) for reference, answer in pairs])


def numbered(name: str, number: int, *, decimals: int = 6) -> tuple[Array, Array]:
    draw = stream(3, name)
    x = draw.normal(2, 1, size=number)
    return np.round(x + draw.normal(0, 1, size=number), decimals), np.round(x, decimals)


def correlated(metric: Metric, answers: Array, references: Array) -> float:
    pairs = zip(answers.tolist(), references.tolist(), strict=True)
    return score(metric, [case(f" {answer}\n", str(reference)) for answer, reference in pairs])


def test_matthews_is_scikit_learns_for_two_labels_and_for_more() -> None:
    two = matthews("1 0 1 1 0 0 1 0 1 1", "1 0 0 1 1 0 1 0 1 0", "0 1")
    assert two == pytest.approx(0.408248290463863, rel=1e-12)
    # One answer is "x", none of the choices: a label more, as scikit-learn sees it.
    three = matthews("a b c a c b a a b c c c a b", "a c c b c b a a x c a c a b", "a b c")
    assert three == pytest.approx(0.5866154166562821, rel=1e-12)


def test_matthews_of_two_labels_is_their_pearson_correlation() -> None:
    draw = stream(3, "binary")
    right, made = (draw.integers(2, size=60) for _ in range(2))
    found = matthews(" ".join(map(str, right)), " ".join(map(str, made)), "0 1")
    assert found == pytest.approx(float(stats.pearsonr(right, made).statistic), rel=1e-12)


def test_matthews_ends_at_one_and_minus_one_and_knows_nothing_of_constants() -> None:
    assert matthews("a b a b", "a b a b", "a b") == pytest.approx(1)
    assert matthews("a b a b", "b a b a", "a b") == pytest.approx(-1)
    assert matthews("a b a b", "a a a a", "a b") == 0
    assert matthews("a a a a", "a a a a", "a b") == 0


def test_one_case_alone_is_right_or_wrong() -> None:
    rows = np.array([Matthews().observe(case(made, "a", choices="ab")) for made in "ab"], dtype=np.float64)
    assert Matthews().from_totals(rows)[:, 0].tolist() == [1, 0]


@pytest.mark.parametrize("number", [2, 3, 10, 400])
@pytest.mark.parametrize("decimals", [0, 6])  # with many equal numbers, and without
def test_pearson_and_spearman_are_scipys(number: int, decimals: int) -> None:
    answers, references = numbered(f"{number}", number, decimals=decimals)
    if min(np.ptp(answers), np.ptp(references)) > 0:
        expected = (stats.pearsonr(answers, references), stats.spearmanr(answers, references))
        found = (correlated(Pearson(), answers, references), correlated(Spearman(), answers, references))
        assert found == pytest.approx([one.statistic for one in expected], rel=1e-9)


def test_far_from_zero_pearson_is_exact_enough() -> None:
    answers, references = numbered("far", 200)
    expected = stats.pearsonr(answers, references).statistic
    assert correlated(Pearson(), answers + 2020, references + 2020) == pytest.approx(expected, rel=1e-8)


def test_constant_answers_follow_nothing() -> None:
    _, references = numbered("constant", 50)
    for constant in (0.1, 3.8, 0.0):
        assert correlated(Pearson(), np.full(50, constant), references) == 0
        assert correlated(Spearman(), np.full(50, constant), references) == 0


def test_what_is_no_number_cannot_be_judged() -> None:
    for unjudged in (case("three", "3"), case("3", "three"), case(None, "3"), case("nan", "3"), case("", "3")):
        assert Pearson().observe(unjudged) is None
        assert Spearman().observe(unjudged) is None


def test_spearman_ranks_each_sample_anew() -> None:
    answers, references = numbered("samples", 40, decimals=1)
    counts = stream(3, "counts").multinomial(40, [1 / 40] * 40, size=30)
    rows = np.column_stack([answers, references])
    found = Spearman().from_counts(rows, counts.astype(np.float64))[:, 0]
    drawn = [(np.repeat(answers, count), np.repeat(references, count)) for count in counts]
    assert found == pytest.approx([stats.spearmanr(*pair).statistic for pair in drawn], rel=1e-9)


def test_one_number_alone_has_no_correlation() -> None:
    assert np.isnan(Pearson().from_totals(np.array([[1.0, 2.0, 1.0, 4.0, 2.0, 1.0]]))).all()
    assert np.isnan(Spearman().from_totals(np.array([[1.0, 2.0]]))).all()
