from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from comparisons import GOOD

from afters.compare.verdict import decide, decided
from afters.records import Verdict


@pytest.mark.parametrize(
    ("low", "high", "p_value", "smallest_effect", "margin", "word"),
    [
        (0.02, 0.06, 0.01, 0.0, None, "improved"),
        (0.02, 0.06, 0.01, 0.01, None, "improved"),
        (0.02, 0.06, 0.01, 0.02, None, "improved_effect_unproven"),
        (0.001, 0.004, 0.01, 0.02, None, "improved_effect_unproven"),
        (-0.06, -0.02, 0.01, 0.0, None, "worse"),
        (-0.004, -0.001, 0.01, 0.02, None, "worse"),
        (-0.01, 0.01, 0.7, 0.02, None, "equivalent"),
        (-0.01, 0.01, 0.7, 0.0, 0.02, "equivalent"),
        (-0.01, 0.01, 0.7, 0.02, 0.005, "cannot_tell"),
        (-0.01, 0.01, 0.7, 0.0, None, "cannot_tell"),
        (-0.02, 0.01, 0.7, 0.02, None, "cannot_tell"),
        (0.0, 0.0, 1.0, 0.0, None, "cannot_tell"),
    ],
)
def test_the_word_follows_from_interval_test_and_what_was_declared(
    low: float, high: float, p_value: float, smallest_effect: float, margin: float | None, word: Verdict
) -> None:
    said = partial(decide, p_value=p_value, confidence=0.95, smallest_effect=smallest_effect, margin=margin)
    assert said(low=low, high=high, direction="higher") == word
    assert said(low=-high, high=-low, direction="lower") == word


@pytest.mark.parametrize(("low", "high", "p_value"), [(0.001, 0.06, 0.06), (-0.001, 0.06, 0.04), (-0.06, -0.001, 0.06)])
def test_where_interval_and_test_disagree_the_weaker_word_is_said(low: float, high: float, p_value: float) -> None:
    assert decide(low=low, high=high, p_value=p_value, direction="higher", confidence=0.95) == "cannot_tell"
    told = decided(replace(GOOD, low=low, high=high, p_value=p_value, p_corrected=p_value)).sentence
    assert "Interval and test disagree" in told
