"""The tables were computed independently, by the formula of Connett, Smith and McHugh."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from afters.compare.significance import mcnemar, sign_flip
from afters.compare.sizes import (
    clusters_needed,
    detectable,
    detectable_by_pairs,
    mcnemar_power,
    pairs_by_approximation,
    pairs_needed,
)
from afters.seeds import stream


@pytest.mark.parametrize(
    ("effect", "needed"),
    [
        (0.01, {0.05: 3922, 0.10: 7847, 0.20: 15_695, 0.30: 23_544, 0.40: 31_393}),
        (0.02, {0.05: 979, 0.10: 1960, 0.20: 3922, 0.30: 5884, 0.40: 7847}),
        (0.03, {0.05: 434, 0.10: 870, 0.20: 1742, 0.30: 2614, 0.40: 3486}),
        (0.05, {0.05: 155, 0.10: 312, 0.20: 626, 0.30: 940, 0.40: 1253}),
        (0.10, {0.10: 76, 0.20: 155, 0.30: 233, 0.40: 312}),
    ],
)
def test_pairs_needed_by_the_normal_approximation(effect: float, needed: dict[float, int]) -> None:
    for discordant, pairs in needed.items():
        assert pairs_by_approximation(discordant, effect=effect, confidence=0.95) == pytest.approx(pairs, abs=1)


@pytest.mark.parametrize(("discordant", "effect"), [(0.1, 0.05), (0.2, 0.1), (0.05, 0.05), (0.4, 0.03), (0.3, 0.2)])
def test_so_many_pairs_give_the_exact_test_its_power(discordant: float, effect: float) -> None:
    pairs = pairs_needed(discordant, effect=effect, confidence=0.95)
    shares = (discordant + effect) / 2, (discordant - effect) / 2
    assert 0.8 <= mcnemar_power(*shares, pairs=pairs) < 0.81
    assert mcnemar_power(*shares, pairs=round(0.93 * pairs)) < 0.8
    assert pairs == pytest.approx(pairs_by_approximation(discordant, effect=effect, confidence=0.95), rel=0.1)


def test_the_power_of_mcnemars_test_is_that_of_all_outcomes() -> None:
    for pairs, better, worse in ((14, 0.5, 0.1), (25, 0.3, 0.05), (9, 0.8, 0.1)):
        expected = 0.0
        for up in range(pairs + 1):
            for down in range(pairs + 1 - up):
                if mcnemar(up, down).p_value < 0.05:
                    expected += stats.multinomial.pmf(
                        [up, down, pairs - up - down], pairs, [better, worse, 1 - better - worse]
                    )
        assert mcnemar_power(better, worse, pairs=pairs) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("pairs", "points"),
    [
        (300, (3.6, 5.1, 7.2, 8.9, 10.2)),
        (500, (2.8, 4.0, 5.6, 6.9, 7.9)),
        (1000, (2.0, 2.8, 4.0, 4.9, 5.6)),
        (5000, (0.9, 1.3, 1.8, 2.2, 2.5)),
    ],
)
def test_detectable_by_pairs(pairs: int, points: tuple[float, ...]) -> None:
    # The points are the normal approximation's; the exact test needs a little more.
    for discordant, point in zip((0.05, 0.10, 0.20, 0.30, 0.40), points, strict=True):
        found = 100 * detectable_by_pairs(discordant, pairs=pairs, confidence=0.95)
        assert point - 0.05 <= found <= 1.06 * point


def test_an_effect_needs_as_many_discordant_pairs() -> None:
    # With 100 pairs of which 5 are discordant, 5 points cannot be shown; more needs more discordant pairs.
    assert detectable_by_pairs(0.05, pairs=100, confidence=0.95) > 0.05
    assert 0 < detectable_by_pairs(0.0, pairs=100, confidence=0.95) < 0.1
    # Of six pairs all must change to one side: 0.963 to the sixth is 0.8.
    assert detectable_by_pairs(0.0, pairs=6, confidence=0.95) == pytest.approx(0.8 ** (1 / 6), abs=1e-4)


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_fewer_than_six_show_nothing_however_large(clusters: int) -> None:
    """The p-value of five flips is 2 / 2^5 at the least."""
    assert sign_flip(np.full(clusters, 0.3), seed=0).p_value > 0.05
    assert mcnemar(clusters, 0).p_value > 0.05
    assert detectable(0.01, clusters=clusters, confidence=0.95) == math.inf
    assert detectable_by_pairs(1.0, pairs=clusters, confidence=0.95) == math.inf
    assert clusters_needed(0.01, effect=0.3, confidence=0.95) == 6
    assert sign_flip(np.full(6, 0.3), seed=0).p_value < 0.05


def test_rouge_on_dialogsum_needs_this_many_dialogues() -> None:
    # Standard deviations of paired differences are given to three digits only.
    assert clusters_needed(0.137, effect=0.01, confidence=0.95) == pytest.approx(1471, rel=0.01)
    assert clusters_needed(0.081, effect=0.01, confidence=0.95) == pytest.approx(510, rel=0.02)


def test_what_is_detectable_needs_just_so_many_clusters() -> None:
    for clusters in (20, 500):
        effect = detectable(0.3, clusters=clusters, confidence=0.95)
        assert clusters_needed(0.3, effect=effect * (1 + 1e-9), confidence=0.95) == clusters


def test_tests_have_the_power_they_were_planned_for() -> None:
    draw = stream(7, "power")
    clusters = clusters_needed(1.0, effect=0.4, confidence=0.95)
    studies = (draw.normal(0.4, 1, size=clusters) for _ in range(300))
    assert np.mean([sign_flip(study, seed=0).p_value < 0.05 for study in studies]) == pytest.approx(0.8, abs=0.07)
    pairs = pairs_needed(0.3, effect=0.1, confidence=0.95)
    outcomes = draw.multinomial(pairs, [0.2, 0.1, 0.7], size=2000).tolist()
    found = [mcnemar(better, worse).p_value < 0.05 for better, worse, _ in outcomes]
    assert np.mean(found) == pytest.approx(0.8, abs=0.03)
