"""Clusters drawn anew, and clusters exchanged: the two ways in which chance is asked.

`totals` are statistics summed within each cluster, of shape (clusters, width); a `Statistic` turns summed totals of
shape (replicates, width) into scores of shape (replicates,). So 10,000 replicates are one matrix product. Equal
seeds give equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from afters.seeds import stream

Array = NDArray[np.float64]
Statistic = Callable[[Array], Array]

REPLICATES: Final = 10_000
"""Resamples of a bootstrap, and random draws of a test; a p-value near 0.05 is then good to 0.004."""

ALL_FLIPS: Final = 16
"""Up to so many clusters every one of the 2^C flips is tried."""

_CELLS: Final = 1 << 20
"""Cells of a matrix of replicates that are held in memory at once."""


def collapse(values: Array, clusters: NDArray[np.intp]) -> Array:
    """Return the mean of `values` within each cluster; `clusters` numbers them from 0."""
    return np.asarray(np.bincount(clusters, weights=values) / np.bincount(clusters), dtype=np.float64)


def sum_by_cluster(rows: Array, clusters: NDArray[np.intp]) -> Array:
    """Return the sums of `rows` within each cluster, shape (clusters, width)."""
    columns = [np.bincount(clusters, weights=column) for column in rows.T]
    return np.column_stack(columns)


def bootstrap(sides: Sequence[Array], score: Statistic, *, seed: int) -> Array:
    """Return the score of each resample of clusters, or the last side's minus the first's; shape (10,000,).

    The same clusters are drawn for every side.
    """
    made = []
    for counts in _resamples(len(sides[0]), seed=seed):
        scores = [score(counts @ totals) for totals in sides]
        made.append(scores[0] if len(scores) == 1 else scores[-1] - scores[0])
    return np.concatenate(made)


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


def _resamples(clusters: int, *, seed: int) -> Iterator[Array]:
    """Yield how often each cluster is drawn, shape (some replicates, clusters), 10,000 replicates in all."""
    generator = stream(seed, "compare", "bootstrap")
    for replicates in _chunks(clusters):
        drawn = generator.integers(clusters, size=(replicates, clusters))
        places = drawn + clusters * np.arange(replicates)[:, None]
        counts = np.bincount(places.ravel(), minlength=replicates * clusters)
        yield counts.reshape(replicates, clusters).astype(np.float64)


def _chunks(clusters: int) -> Iterator[int]:
    size = max(1, _CELLS // clusters)
    for start in range(0, REPLICATES, size):
        yield min(size, REPLICATES - start)
