"""Which rows make step s: a pure function of (seed, s), so that a resumed or shared-out run reads the same rows.

The teaching rows, freshly shuffled for each epoch, stand in one long line. A window takes the next
`window_steps * batch_rows` of the line, sorts them by length, cuts them into steps, and deals the steps out in
seeded order: rows of one step are alike in length, and lengths still come in no order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afters.seeds import stream


def steps_of(rows: int, *, epochs: float, batch_rows: int) -> int:
    """Return how many optimizer steps a run has.

    >>> steps_of(100, epochs=3, batch_rows=32)
    10
    """
    return max(1, math.ceil(epochs * rows / min(batch_rows, rows)))


class Order:
    """The rows of every step of one run."""

    def __init__(self, lengths: Sequence[int], *, seed: int, epochs: float, batch_rows: int, window_steps: int) -> None:
        self._lengths = np.asarray(lengths)
        self._seed = seed
        self._batch_rows = min(batch_rows, len(lengths))
        self._window_steps = window_steps
        self.steps = steps_of(len(lengths), epochs=epochs, batch_rows=batch_rows)
        self._window = lru_cache(maxsize=2)(self._make_window)

    def rows(self, step: int) -> list[int]:
        """Return the rows of step `step`, counted from 0."""
        window, place = divmod(step, self._window_steps)
        return self._window(window)[place]

    def _make_window(self, window: int) -> list[list[int]]:
        first = window * self._window_steps
        steps = min(self._window_steps, self.steps - first)
        places = np.arange(first * self._batch_rows, (first + steps) * self._batch_rows)
        line = np.array([self._row_at(int(place)) for place in places])
        by_length = line[np.argsort(self._lengths[line], kind="stable")]
        batches = by_length.reshape(steps, self._batch_rows).tolist()
        dealt = stream(self._seed, "deal", window).permutation(steps)
        return [batches[index] for index in dealt]

    def _row_at(self, place: int) -> int:
        epoch, index = divmod(place, len(self._lengths))
        return int(_shuffled(self._seed, epoch, len(self._lengths))[index])


@lru_cache(maxsize=4)
def _shuffled(seed: int, epoch: int, rows: int) -> NDArray[np.int64]:
    return stream(seed, "order", epoch).permutation(rows)
