from __future__ import annotations

from dataclasses import replace

import pytest
from comparisons import GOOD

from afters.compare.kept import Kept, KeptWord, worded
from afters.compare.verdict import decided
from afters.records import Direction


def told(
    low: float,
    high: float,
    *,
    direction: Direction = "higher",
    largest: float | None = None,
    p_value: float = 0.001,
    too_little: bool = False,
    binary: bool = False,
) -> Kept:
    """What is said of an interval, where 5 points may be lost."""
    middle = (low + high) / 2
    comparison = replace(
        GOOD,
        metric="exact_match",
        before_value=0.8,
        after_value=0.8 + middle,
        difference=middle,
        low=low,
        high=high,
        direction=direction,
        p_value=p_value,
        p_corrected=p_value,
        smallest_effect=0.05,
        cases_needed=900,
    )
    end = (-low if direction == "higher" else high) if largest is None else largest
    return worded(Kept(decided(comparison), 0.05, end, 0.07, too_little, binary, None, None, None))


@pytest.mark.parametrize(
    ("low", "high", "word", "beyond"),
    [
        (-0.03, 0.01, "kept", False),
        (0.01, 0.03, "kept", False),
        (-0.03, -0.01, "kept_with_a_loss", False),
        (-0.07, -0.01, "lost", False),
        (-0.09, -0.06, "lost", True),
        (-0.07, 0.01, "cannot_tell", False),
        (-0.07, 0.20, "cannot_tell", False),
        (-0.05, 0.01, "cannot_tell", False),
    ],
)
def test_the_word_follows_from_the_interval_and_the_margin(
    low: float, high: float, word: KeptWord, beyond: bool
) -> None:
    assert (told(low, high).word, told(low, high).beyond_margin) == (word, beyond)
    turned = told(-high, -low, direction="lower")
    assert (turned.word, turned.beyond_margin) == (word, beyond)


def test_a_loss_needs_the_tests_consent() -> None:
    assert told(-0.07, -0.01, p_value=0.06).word == "cannot_tell"
    assert told(-0.03, -0.01, p_value=0.06).word == "kept"


def test_what_was_not_seen_can_forbid_to_say_kept() -> None:
    assert told(-0.03, 0.01, largest=0.06).word == "cannot_tell"
    assert told(-0.03, -0.01, largest=0.06).word == "lost"


def test_where_there_was_too_little_to_lose_nothing_is_kept() -> None:
    assert told(-0.03, 0.01, too_little=True).word == "cannot_tell"
    assert told(-0.03, -0.01, too_little=True).word == "lost"


def test_kept_tells_which_loss_is_ruled_out() -> None:
    assert told(-0.03, 0.01).sentence == (
        "exact_match of this checkpoint went from 0.800 to 0.790: kept within 0.05, difference -0.010 [-0.030, +0.010] "
        "on 200 Cases (p = 0.001, sign-flip permutation). A loss above 0.030 is ruled out."
    )
    assert told(0.01, 0.03).sentence.endswith("Any loss is ruled out.")


def test_a_small_proven_loss_is_told_as_both() -> None:
    assert "kept within 0.05, with a proven loss of 0.020 [0.010, 0.030] on" in told(-0.03, -0.01).sentence


def test_a_loss_tells_whether_it_is_proven_to_exceed_the_margin() -> None:
    assert "lost by 0.040 [0.010, 0.070] on" in told(-0.07, -0.01).sentence
    assert "It may lie within the 0.05 that was declared not to matter." in told(-0.07, -0.01).sentence
    assert "That is more than the 0.05 that was declared not to matter." in told(-0.09, -0.06).sentence


def test_cannot_tell_names_the_smallest_loss_that_could_have_been_seen() -> None:
    unsure = told(-0.07, 0.01).sentence
    assert "cannot tell, difference -0.030 [-0.070, +0.010] on" in unsure
    assert "A loss of 0.070 is not ruled out." in unsure
    assert unsure.endswith("So many Cases show a loss of 0.070 with 80 % power; 0.050 would take about 900.")
    assert "There was hardly more than 0.05 to lose." in told(-0.01, 0.01, too_little=True).sentence


def test_flips_are_told_of_right_and_wrong_alone() -> None:
    assert told(-0.03, 0.01, binary=True).sentence.endswith("Right to wrong: 30; wrong to right: 150.")
    assert "Right to wrong" not in told(-0.03, 0.01).sentence
