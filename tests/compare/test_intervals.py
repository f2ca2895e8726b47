from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from afters.compare.intervals import mean_interval, ratio_interval, tango_interval, wilson_interval
from afters.seeds import stream


def likelihood(better: int, worse: int, cases: int, delta: float) -> float:
    """The most that the likelihood of paired outcomes reaches where the difference of proportions is `delta`."""

    def minus_log(down: float) -> float:
        up, same = down + delta, 1 - 2 * down - delta
        pairs = ((better, up), (worse, down), (cases - better - worse, same))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in pairs if count)

    bounds = (max(0.0, -delta), (1 - delta) / 2)
    return float(optimize.minimize_scalar(minus_log, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x)


@pytest.mark.parametrize(("better", "worse", "cases"), [(9, 3, 40), (30, 10, 100), (1, 0, 20), (6, 0, 30), (3, 17, 55)])
def test_tangos_ends_are_just_refused_by_the_score_test(better: int, worse: int, cases: int) -> None:
    interval = tango_interval(better, worse, cases=cases, confidence=0.95)
    for delta, sign in ((interval.low, 1), (interval.high, -1)):
        down = likelihood(better, worse, cases, delta)
        variance = cases * (2 * down + delta - delta * delta)
        statistic = (better - worse - cases * delta) / math.sqrt(variance)
        assert statistic == pytest.approx(sign * 1.959964, abs=1e-3)


def test_tango_without_discordant_pairs_still_has_a_width() -> None:
    z = stats.norm.ppf(0.975)
    for cases in (1, 20, 500):
        low, high, _ = tango_interval(0, 0, cases=cases, confidence=0.95)
        assert (low, high) == pytest.approx((-(z**2) / (cases + z**2), z**2 / (cases + z**2)))


def test_tango_mirrors_and_stays_within_one() -> None:
    for better, worse, cases in ((12, 5, 60), (30, 0, 30), (1, 0, 1)):
        low, high, _ = tango_interval(better, worse, cases=cases, confidence=0.95)
        mirrored = tango_interval(worse, better, cases=cases, confidence=0.95)
        assert -1 <= low < (better - worse) / cases <= high <= 1
        assert (-mirrored.high, -mirrored.low) == pytest.approx((low, high))


@pytest.mark.parametrize(("right", "cases"), [(0, 10), (3, 10), (10, 10), (311, 500)])
def test_wilson_is_scipys(right: int, cases: int) -> None:
    expected = stats.binomtest(right, cases).proportion_ci(0.95, method="wilson")
    interval = wilson_interval(right, cases=cases, confidence=0.95)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_few_clusters_get_students_interval() -> None:
    values = stream(2, "few").normal(size=12)
    expected = stats.t.interval(0.9, 11, loc=values.mean(), scale=stats.sem(values))
    interval = mean_interval(values, confidence=0.9, seed=0)
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert "Student" in interval.method


def test_many_clusters_get_the_bootstrap_which_nearly_agrees() -> None:
    values = stream(2, "many").normal(size=400)
    expected = stats.norm.interval(0.95, loc=values.mean(), scale=stats.sem(values))
    interval = mean_interval(values, confidence=0.95, seed=0)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=0.1 * stats.sem(values))
    assert "bootstrap" in interval.method


@pytest.mark.parametrize("clusters", [20, 200])
def test_copies_within_a_cluster_add_no_certainty(clusters: int) -> None:
    values = stream(2, "copies", clusters).normal(size=clusters)
    once = ratio_interval(np.column_stack([values, np.ones(clusters)]), confidence=0.95, seed=0)
    thrice = ratio_interval(np.column_stack([3 * values, np.full(clusters, 3.0)]), confidence=0.95, seed=0)
    assert (once.low, once.high) == pytest.approx((thrice.low, thrice.high))


def covered(name: str, *, clusters: int, times: int) -> int:
    """How often the interval of a skewed variable's mean holds the true mean."""
    draw = stream(3, name, clusters)
    intervals = (mean_interval(draw.beta(2, 5, size=clusters) - 2 / 7, confidence=0.95, seed=0) for _ in range(times))
    return sum(low <= 0 <= high for low, high, _ in intervals)


@pytest.mark.parametrize("clusters", [30, 60])
def test_the_interval_covers_the_truth(clusters: int) -> None:
    # A hundredth is left to a bootstrap of 60: it is a little narrow.
    low, high = stats.binom.ppf(0.001, 400, 0.94), stats.binom.ppf(0.999, 400, 0.95)
    assert low <= covered("coverage", clusters=clusters, times=400) <= high


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "times"), [(30, 2000), (100, 2000), (500, 500)])
def test_the_interval_covers_the_truth_in_many_studies(clusters: int, times: int) -> None:
    assert 0.93 <= covered("long", clusters=clusters, times=times) / times <= 0.965


@pytest.mark.slow
@pytest.mark.parametrize("cases", [30, 100])
def test_tango_covers_the_truth(cases: int) -> None:
    draw = stream(3, "tango", cases)
    outcomes = draw.multinomial(cases, [0.12, 0.06, 0.82], size=2000).tolist()
    intervals = [tango_interval(better, worse, cases=cases, confidence=0.95) for better, worse, _ in outcomes]
    assert 0.93 <= np.mean([low <= 0.06 <= high for low, high, _ in intervals]) <= 0.975
