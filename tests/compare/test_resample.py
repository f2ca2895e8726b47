from __future__ import annotations

import numpy as np
import pytest

from afters.compare.resample import REPLICATES, Array, bootstrap, collapse, sum_by_cluster
from afters.seeds import stream


def mean(totals: Array) -> Array:
    return np.asarray(totals[:, 0] / totals[:, 1], dtype=np.float64)


def with_counts(values: Array) -> Array:
    return np.column_stack([values, np.ones_like(values)])


def test_a_cluster_weighs_once_however_many_cases_it_holds() -> None:
    clusters = np.array([0, 0, 0, 1])
    assert collapse(np.array([1.0, 2.0, 3.0, 8.0]), clusters).tolist() == [2.0, 8.0]


def test_totals_are_summed_column_by_column() -> None:
    rows = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    assert sum_by_cluster(rows, np.array([1, 0, 1])).tolist() == [[2.0, 20.0], [4.0, 40.0]]


@pytest.mark.parametrize("clusters", [7, 300, 2000])  # in one piece, in several
def test_the_spread_of_resampled_means_is_that_of_the_textbook(clusters: int) -> None:
    values = stream(1, "values", clusters).normal(3, 2, size=clusters)
    means = bootstrap([with_counts(values)], mean, seed=0)
    assert means.shape == (REPLICATES,)
    expected = values.std() / np.sqrt(clusters)
    assert means.std() == pytest.approx(expected, rel=0.05)
    assert means.mean() == pytest.approx(values.mean(), abs=4 * expected / np.sqrt(REPLICATES))


def test_both_sides_are_resampled_alike() -> None:
    values = stream(1, "alike").normal(size=40)
    differences = bootstrap([with_counts(values), with_counts(values + 1)], mean, seed=0)
    assert differences == pytest.approx(np.ones(REPLICATES))


def test_equal_seeds_give_equal_numbers_and_other_seeds_others() -> None:
    values = with_counts(stream(1, "seeds").normal(size=40))
    first, again, other = (bootstrap([values], mean, seed=seed) for seed in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()
