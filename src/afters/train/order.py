"""Which rows make step s: a pure function of (seed, s), so that a resumed or shared-out run reads the same rows.

The rows of all passes, each pass freshly shuffled, stand in one long line. A window takes the next
`window_steps * batch_rows` of the line, sorts them by length, cuts them into steps, and deals the steps out in
seeded order: rows of one step are alike in length, and lengths still come in no order.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from afters.seeds import stream
from afters.train.lessons import Lessons, Places


def steps_of(rows: int, *, epochs: float, batch_rows: int) -> int:
    """Return how many optimizer steps a run has.

    >>> steps_of(100, epochs=3, batch_rows=32)
    10
    """
    return max(1, math.ceil(epochs * rows / min(batch_rows, rows)))


class Order:
    """The rows of every step of one run."""

    def __init__(self, lessons: Lessons, *, seed: int, epochs: float, batch_rows: int, window_steps: int) -> None:
        self.lessons = lessons
        self._seed = seed
        self._batch_rows = min(batch_rows, lessons.rows)
        self._window_steps = window_steps
        self.steps = steps_of(lessons.rows, epochs=epochs, batch_rows=batch_rows)
        self._window = lru_cache(maxsize=2)(self._make_window)

    def places(self, step: int) -> list[int]:
        """Return the places of the lessons that make step `step`, counted from 0."""
        window, place = divmod(step, self._window_steps)
        return self._window(window)[place]

    def _make_window(self, window: int) -> list[list[int]]:
        first = window * self._window_steps
        steps = min(self._window_steps, self.steps - first)
        line = self._shuffled(np.arange(first * self._batch_rows, (first + steps) * self._batch_rows))
        by_length = line[np.argsort(self.lessons.lengths(line).sum(axis=1), kind="stable")]
        batches = by_length.reshape(steps, self._batch_rows).tolist()
        dealt = stream(self._seed, "deal", window).permutation(steps)
        return [batches[index] for index in dealt]

    def _shuffled(self, line: Places) -> Places:
        """Return which places stand where a line in plain order has `line`."""
        rows = self.lessons.rows
        passes, within = np.divmod(line, rows)
        orders = {number: _order(self._seed, number, rows) for number in set(passes.tolist())}
        return np.array(
            [number * rows + orders[number][at] for number, at in zip(passes.tolist(), within.tolist(), strict=True)]
        )


@lru_cache(maxsize=4)
def _order(seed: int, number: int, rows: int) -> Places:
    return stream(seed, "order", number).permutation(rows)
