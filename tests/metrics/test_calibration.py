"""The oracle figures are those of uncertainty-calibration 0.1.4, the library that HELM calls, run on the same 37 Cases.

`plugin_ce(power=1)` and `unbiased_square_ce` over `get_equal_bins`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from afters.metrics.calibration import (
    Brier,
    Calibration,
    CalibrationError,
    NegativeLogLikelihood,
)
from afters.metrics.metric import Array, Metric, objection, reduce
from afters.records import Case, ChoiceScore, Example, Prediction
from afters.seeds import stream

NUMBERS = np.arange(37)
SURE = ((NUMBERS * NUMBERS * 7 + NUMBERS * 13) % 101 + 50) / 152
RIGHT = ((NUMBERS * NUMBERS * 5 + NUMBERS * 3) % 17 < 11).astype(float)


def case(*probabilities: float, right: str = "a", scores: Sequence[float] = (), shift: float = 0.0) -> Case:
    """A Case whose choices a, b, … have these probabilities, once those of all other texts are left out."""
    choices = "abcdefgh"[: len(probabilities)]
    example = Example(
        "1", "task", "rows.csv:1", "content", "plain", "prompt", (right,),
        choices=tuple(choices), choice_scores=tuple(scores),
    )  # fmt: skip
    weighed = tuple(ChoiceScore(math.log(one) + shift, 1) for one in probabilities)
    return Case("1", "", (example,), (Prediction("1", choices=weighed),))


def observed(metric: Metric, *cases: Case) -> dict[str, float]:
    return dict(reduce(metric, [metric.observe(one) for one in cases]))


def scored(metric: Metric, sure: Array, right: Array) -> list[float]:
    return list(reduce(metric, list(zip(sure.tolist(), right.tolist(), strict=True))).values())


def test_ten_bins_and_one_are_helms() -> None:
    assert scored(CalibrationError(), SURE, RIGHT) == pytest.approx(
        [0.2524893314366999, 0.24110953058321472], rel=1e-12
    )


def test_equal_probabilities_share_a_bin_as_helms_do() -> None:
    rounded = np.round(SURE, 1)
    expected = [0.24324324324324323, 0.2432432432432432]
    assert scored(CalibrationError(), rounded, RIGHT) == pytest.approx(expected, rel=1e-12)
    assert scored(Calibration(), rounded, RIGHT) == pytest.approx([0.06693822393822393], rel=1e-12)
    assert scored(CalibrationError(), np.full(5, 0.5), np.ones(5)) == [0.5, 0.5]


def test_the_debiased_error_is_that_of_verified_calibration() -> None:
    assert scored(Calibration(), SURE, RIGHT) == pytest.approx([0.03865558555439096], rel=1e-12)


def test_a_perfect_model_has_no_debiased_error_on_average() -> None:
    draw = stream(2, "perfect")
    found = []
    for _ in range(400):
        sure = draw.uniform(0.5, 1, size=300)
        right = (draw.random(300) < sure).astype(float)
        found.append(scored(Calibration(), sure, right) + scored(CalibrationError(), sure, right)[:1])
    debiased, plain = np.mean(found, axis=0)
    error = float(np.std([one for one, _ in found]) / np.sqrt(400))
    assert abs(debiased) < 4 * error < 2e-3
    assert plain > 0.05, "the plain error is never zero"


def test_a_sample_is_scored_as_if_its_cases_were_there_so_often() -> None:
    rows = np.column_stack([SURE, RIGHT])
    counts = stream(2, "counts").multinomial(37, [1 / 37] * 37, size=20).astype(np.float64)
    each = CalibrationError().from_counts(rows, counts)[:, 1]
    gaps = [abs(np.dot(count, SURE) - np.dot(count, RIGHT)) / 37 for count in counts]
    assert each == pytest.approx(gaps)
    assert Calibration().from_counts(rows, 3 * counts).shape == (20, 1)


def test_the_probability_is_among_the_choices_alone() -> None:
    for metric in (Calibration(), CalibrationError()):
        assert metric.observe(case(0.1, 0.3, right="b")) == pytest.approx((0.75, 1.0))
        assert metric.observe(case(0.1, 0.3, shift=-900.0)) == pytest.approx((0.75, 0.0))


def test_what_was_not_weighed_cannot_be_judged() -> None:
    written = Case("1", "", case(0.5, 0.5).examples, (Prediction("1", ("a",)),))
    ruled_out = Case("1", "", case(0.5, 0.5).examples, (Prediction("1", choices=(ChoiceScore(-math.inf, 1),) * 2),))
    for unjudged in (written, ruled_out, case(0.5, 0.5, right="z")):
        for metric in (Calibration(), CalibrationError(), Brier(), NegativeLogLikelihood()):
            assert metric.observe(unjudged) is None
    assert Calibration().observe(case(1.0)) is None, "who has no choice is always sure"


def test_brier_by_hand() -> None:
    # (0.2 - 0)^2 + (0.5 - 1)^2 + (0.3 - 0)^2
    assert observed(Brier(), case(0.2, 0.5, 0.3, right="b"))["brier"] == pytest.approx(0.38)
    assert observed(Brier(), case(0.5, 0.5))["brier"] == pytest.approx(0.5)
    assert Brier().observe(case(0.5, 0.3, 0.2, scores=(1.0, 1.0, 0.0))) is None


def test_negative_log_likelihood_by_hand() -> None:
    asked = (case(0.2, 0.5, 0.3, right="b"), case(0.02, 0.08))
    assert observed(NegativeLogLikelihood(), *asked)["nll"] == pytest.approx((-math.log(0.5) - math.log(0.2)) / 2)
    several = case(0.5, 0.3, 0.2, scores=(1.0, 1.0, 0.0))
    assert observed(NegativeLogLikelihood(), several)["nll"] == pytest.approx(-math.log(0.8))


def test_calibration_is_compared_from_300_cases_and_the_plain_error_never() -> None:
    assert objection(Calibration(), cases=299) == "calibration cannot be judged on 299 Cases; from 300 on it can"
    assert objection(Calibration(), cases=300) is None
    assert "debiased" in (objection(CalibrationError(), cases=10_000) or "")
    assert objection(Brier(), cases=2) is None
