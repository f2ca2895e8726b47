from __future__ import annotations

import math

import numpy as np
import pytest

from afters.metrics.likelihood import BitsPerByte, Perplexity
from afters.metrics.metric import reduce
from afters.records import Case, ChoiceScore, Example, Prediction


def case(text: str, log: float, tokens: int, *, others: tuple[str, ...] = ()) -> Case:
    choices = (*others, text)
    example = Example("1", "task", "rows.csv:1", "content", "plain", "", (text,), choices=choices)
    weighed = (*(ChoiceScore(-1.0, 1) for _ in others), ChoiceScore(log, tokens))
    return Case("1", "", (example,), (Prediction("1", choices=weighed),))


def test_perplexity_of_a_fair_die_is_its_number_of_sides() -> None:
    rows = [Perplexity().observe(case(text, -tokens * math.log(6), tokens)) for text, tokens in (("ab", 2), ("abc", 9))]
    assert reduce(Perplexity(), rows) == {"perplexity": pytest.approx(6)}


def test_bits_per_byte_of_random_bytes_is_eight() -> None:
    rows = [BitsPerByte().observe(case("text", -4 * math.log(256), 2))]
    assert reduce(BitsPerByte(), rows) == {"bits_per_byte": pytest.approx(8)}


def test_bytes_are_those_of_utf8_and_long_texts_count_more() -> None:
    # 3 bytes at 4 bits, 1 byte at 8 bits.
    rows = [BitsPerByte().observe(case(text, -bits * math.log(2), 1)) for text, bits in (("€", 12), ("e", 8))]
    assert reduce(BitsPerByte(), rows) == {"bits_per_byte": pytest.approx(20 / 4)}


def test_of_several_choices_the_reference_counts() -> None:
    assert Perplexity().observe(case("yes", -3.5, 2, others=("no", "maybe"))) == (3.5, 2)


def test_a_text_without_log_probability_cannot_be_judged() -> None:
    written = Case("1", "", case("a", -1.0, 1).examples, (Prediction("1", ("a",)),))
    for unjudged in (written, case("a", -math.inf, 1), case("a", math.nan, 1)):
        assert Perplexity().observe(unjudged) is None
        assert BitsPerByte().observe(unjudged) is None
    assert Perplexity().observe(case("", -1.0, 0)) is None
    assert BitsPerByte().observe(case("", -1.0, 1)) is None


def test_totals_of_replicates_are_scored_at_once() -> None:
    totals = np.array([[math.log(2), 1.0], [math.log(8), 1.0]])
    assert Perplexity().from_totals(totals) == pytest.approx(np.array([[2.0], [8.0]]))
    assert BitsPerByte().from_totals(totals) == pytest.approx(np.array([[1.0], [3.0]]))
