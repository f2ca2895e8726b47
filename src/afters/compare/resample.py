"""Clusters drawn anew, and clusters exchanged: the two ways in which chance is asked.

`totals` are statistics summed within each cluster, of shape (clusters, width); a `Statistic` turns summed totals of
shape (replicates, width) into scores of shape (replicates,). So 10,000 replicates are one matrix product. Equal
seeds give equal numbers, and clusters are drawn in the order of what they hold, so that the order of rows and their
names change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from afters.seeds import stream

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]

ScoreOfBoth = Callable[[Array, Array], Array]
"""How often each cluster is taken from before, and how often from after, both of shape (replicates, clusters), become
scores of shape (replicates,): for what is no function of totals, as ranks."""

REPLICATES: Final = 10_000
"""Resamples of a bootstrap, and random draws of a test; a p-value near 0.05 is then good to 0.004."""

ALL_FLIPS: Final = 16
"""Up to so many clusters every one of the 2^C flips is tried."""

_CELLS: Final = 1 << 17
"""Cells of a matrix of replicates that are held in memory at once; they stay in the processor's cache."""

_PRODUCT: Final = 1 << 18
"""Multiplications of one matrix product. Of more, BLAS gives each thread a part, and on a busy machine they wait for
each other longer than they work (perf/LOG.md)."""

_DRAWS_PER_BINOMIAL: Final = 20
"""Drawing so many single clusters costs as much as drawing how often one kind of cluster comes."""


def collapse(values: Array, clusters: NDArray[np.intp]) -> Array:
    """Return the mean of `values` within each cluster; `clusters` numbers them from 0."""
    return np.asarray(np.bincount(clusters, weights=values) / np.bincount(clusters), dtype=np.float64)


def sum_by_cluster(rows: Array, clusters: NDArray[np.intp]) -> Array:
    """Return the sums of `rows` within each cluster, shape (clusters, width)."""
    columns = [np.bincount(clusters, weights=column) for column in rows.T]
    return np.column_stack(columns)


def canonical(rows: Array, clusters: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of the rows by value, and in it their clusters, numbered as they first come.

    So sums are rounded, and chance is dealt, alike whatever order the rows came in and whatever they were called.
    """
    order = np.lexsort(rows.T)
    _, first, numbers = np.unique(clusters[order], return_index=True, return_inverse=True)
    return order, np.argsort(np.argsort(first))[numbers]


def bootstrap(sides: Sequence[Array], score: Statistic, *, seed: int) -> Array:
    """Return the score of each resample of clusters, or the last side's minus the first's; shape (10,000,).

    The same clusters are drawn for every side. Where many clusters are alike, as where Cases are right or wrong, it
    is drawn how often each kind comes: the same law, and far fewer draws.
    """
    kinds, alike = np.unique(np.hstack(sides), axis=0, return_counts=True)
    clusters = len(sides[0])
    if len(kinds) * _DRAWS_PER_BINOMIAL <= clusters:
        drawn: Iterator[Array] = iter([_kinds_drawn(alike, seed=seed)])
    else:
        kinds = np.repeat(kinds, alike, axis=0)
        drawn = resamples(clusters, seed=seed)
    made = []
    for counts in drawn:
        scores = [score(totals) for totals in np.hsplit(product(counts, kinds), len(sides))]
        made.append(scores[0] if len(scores) == 1 else scores[-1] - scores[0])
    return np.concatenate(made)


def product(counts: Array, totals: Array) -> Array:
    """Return `counts @ totals`, a few columns at a time: see `_PRODUCT`."""
    width = max(1, _PRODUCT // max(1, counts.size))
    starts = range(0, totals.shape[1], width)
    return np.hstack([counts @ totals[:, start : start + width] for start in starts])


def resamples(clusters: int, *, seed: int) -> Iterator[Array]:
    """Yield how often each cluster is drawn, shape (some replicates, clusters), 10,000 replicates in all."""
    generator = stream(seed, "compare", "bootstrap")
    for replicates in _chunks(clusters):
        drawn = generator.integers(clusters, size=(replicates, clusters), dtype=np.uint32)
        yield np.array([np.bincount(row, minlength=clusters) for row in drawn], dtype=np.float64)


def share_as_extreme(effect: Statistic, *, clusters: int, seed: int) -> float:
    """Return the p-value of a permutation test: how many flips of clusters have at least the effect of no flip.

    `effect` gets flips, rows of 0 and 1 of shape (replicates, clusters), 1 for a cluster whose before and after are
    exchanged. All flips are tried for up to 16 clusters, p = k / 2^C; else 10,000 random ones,
    p = (k + 1) / (10,000 + 1).
    """
    observed = float(effect(np.zeros((1, clusters)))[0])
    # Sums of the same numbers in another order differ in their last digits; those are ties.
    least = observed * (1 - 1e-9)
    if clusters <= ALL_FLIPS:
        flips = (np.arange(2**clusters)[:, None] >> np.arange(clusters)) & 1
        return float(np.mean(effect(flips.astype(np.float64)) >= least))
    generator = stream(seed, "compare", "flips")
    drawn = (generator.integers(2, size=(size, clusters), dtype=np.int8) for size in _chunks(clusters))
    extreme = sum(int((effect(flips.astype(np.float64)) >= least).sum()) for flips in drawn)
    return (extreme + 1) / (REPLICATES + 1)


def least_clusters(confidence: float) -> int:
    """Return how many clusters a test by flips or McNemar's needs to prove anything: p of k flips is at least 2 / 2^k.

    >>> least_clusters(0.95), least_clusters(0.99)
    (6, 8)
    """
    return math.floor(math.log2(2 / (1 - confidence))) + 1


def _kinds_drawn(alike: NDArray[np.intp], *, seed: int) -> Array:
    """Return how often each kind of cluster is drawn, shape (10,000, kinds); `alike` counts the clusters of a kind."""
    clusters = int(alike.sum())
    drawn = stream(seed, "compare", "kinds").multinomial(clusters, alike / clusters, size=REPLICATES)
    return drawn.astype(np.float64)


def _chunks(clusters: int) -> Iterator[int]:
    size = max(1, _CELLS // clusters)
    for start in range(0, REPLICATES, size):
        yield min(size, REPLICATES - start)
