from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from afters.compare import resample
from afters.compare.resample import (
    REPLICATES,
    Array,
    bootstrap,
    canonical,
    collapse,
    product,
    sum_by_cluster,
)
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


def test_the_order_of_clusters_changes_nothing() -> None:
    for name, values in (("many", stream(1, "many").normal(size=400)), ("few", stream(1, "few").integers(2, size=400))):
        sides = [with_counts(np.asarray(times * values, dtype=np.float64)) for times in (1.0, 2.0)]
        order = stream(1, "order", name).permutation(400)
        assert (bootstrap(sides, mean, seed=0) == bootstrap([side[order] for side in sides], mean, seed=0)).all()


def test_where_many_clusters_are_alike_their_kinds_are_drawn_by_the_same_law() -> None:
    right = np.repeat([0.0, 1.0], [1400, 600])
    means = bootstrap([with_counts(right)], mean, seed=0)
    expected = stats.binom(2000, 0.3)
    assert means.std() * 2000 == pytest.approx(expected.std(), rel=0.03)
    edges = expected.ppf(np.arange(1, 10) / 10)
    found = np.bincount(np.searchsorted(edges, (means * 2000).round()), minlength=10)
    shares = np.diff(expected.cdf(edges), prepend=0, append=1)
    assert stats.chisquare(found, REPLICATES * shares).pvalue > 1e-3
    # A cluster of its own kind is one in 2,000: the replicates are spread as if each cluster were drawn.
    apart = bootstrap([with_counts(right + np.arange(2000) * 1e-9)], mean, seed=0)
    assert np.quantile(apart, [0.025, 0.5, 0.975]) == pytest.approx(np.quantile(means, [0.025, 0.5, 0.975]), abs=0.002)


def test_how_many_replicates_come_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = with_counts(stream(1, "chunks").normal(size=90))
    whole = bootstrap([values], mean, seed=0)
    monkeypatch.setattr(resample, "_CELLS", 7 * 90)
    assert bootstrap([values], mean, seed=0) == pytest.approx(whole, rel=1e-12)


def test_products_in_pieces_are_products() -> None:
    draw = stream(1, "product")
    counts, totals = draw.integers(4, size=(40, 9000)).astype(np.float64), draw.random((9000, 7))
    assert product(counts, totals) == pytest.approx(counts @ totals, rel=1e-12)


def test_rows_come_in_the_order_of_their_values_and_clusters_as_they_come() -> None:
    rows = np.array([[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    order, clusters = canonical(rows, np.array([5, 2, 5, 2]))
    assert rows[order][:, 0].tolist() == [1, 1, 2, 3]
    assert clusters.tolist() == [0, 0, 1, 1]
