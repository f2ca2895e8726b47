from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from afters.model.network import Pair
from afters.seeds import stream
from afters.train.lessons import Pairs
from afters.train.order import Order, steps_of


def lengths_of(rows: int) -> list[int]:
    return [int(length) for length in stream(1, "lengths", rows).integers(1, 400, size=rows)]


def rows_of(made: Order, step: int) -> list[int]:
    """Return which rows make a step, in whatever pass."""
    return [place % made.lessons.rows for place in made.places(step)]


def order(rows: int, *, seed: int = 7, epochs: float = 3, batch_rows: int = 4, window_steps: int = 5) -> Order:
    lessons = Pairs(Pair((3,) * (length - 1), (1,)) for length in lengths_of(rows))
    return Order(lessons, seed=seed, epochs=epochs, batch_rows=batch_rows, window_steps=window_steps)


SIZES = [(12, 4, 3), (60, 4, 5), (64, 8, 3), (7, 7, 2), (5, 1, 4), (96, 32, 1), (30, 5, 100)]
"""Rows, rows of a step, steps of a window; rows divide by the step."""


@pytest.mark.parametrize(("rows", "batch_rows", "window_steps"), SIZES)
def test_every_row_is_seen_once_in_every_epoch_that_windows_keep_apart(
    rows: int, batch_rows: int, window_steps: int
) -> None:
    made = order(rows, batch_rows=batch_rows, window_steps=window_steps)
    assert made.steps == 3 * rows // batch_rows
    seen = Counter(row for step in range(made.steps) for row in rows_of(made, step))
    assert seen == dict.fromkeys(range(rows), 3)
    if rows % (batch_rows * window_steps) == 0:
        for epoch in range(3):
            steps = range(epoch * rows // batch_rows, (epoch + 1) * rows // batch_rows)
            assert sorted(row for step in steps for row in rows_of(made, step)) == list(range(rows))


def test_a_window_holds_the_next_rows_of_the_line_whatever_its_size() -> None:
    """With windows of one step nothing is sorted: that is the line, and each window is a piece of it."""
    line = order(50, window_steps=1)
    windowed = order(50, window_steps=6)
    assert line.steps == windowed.steps == 38
    for first in range(0, 38, 6):
        steps = range(first, min(first + 6, 38))
        assert sorted(row for step in steps for row in rows_of(windowed, step)) == sorted(
            row for step in steps for row in rows_of(line, step)
        )


def test_the_rows_of_a_step_depend_on_nothing_but_seed_and_step() -> None:
    """A resumed run asks for a late step first; a longer run sees the same rows as long as windows are whole."""
    forward, backward, longer = order(61), order(61), order(61, epochs=9)
    steps = list(range(forward.steps))
    assert {step: rows_of(forward, step) for step in steps} == {
        step: rows_of(backward, step) for step in reversed(steps)
    }
    whole = steps[: len(steps) // 5 * 5]
    assert [rows_of(forward, step) for step in whole] == [rows_of(longer, step) for step in whole]


def test_other_seeds_give_other_orders_and_other_epochs_too() -> None:
    assert [rows_of(order(60), step) for step in range(15)] != [rows_of(order(60, seed=8), step) for step in range(15)]
    made = order(60, window_steps=1)
    epochs = [[row for step in range(15 * epoch, 15 * epoch + 15) for row in rows_of(made, step)] for epoch in range(3)]
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_rows_of_a_step_are_alike_in_length_and_steps_come_in_no_order_of_length() -> None:
    lengths = lengths_of(640)
    sorted_windows, unsorted = order(640, batch_rows=8, window_steps=20), order(640, batch_rows=8, window_steps=1)

    def spread(made: Order) -> float:
        return float(np.mean([np.ptp([lengths[row] for row in rows_of(made, step)]) for step in range(made.steps)]))

    assert spread(sorted_windows) < 0.15 * spread(unsorted)
    first = [max(lengths[row] for row in rows_of(sorted_windows, step)) for step in range(20)]
    assert first not in (sorted(first), sorted(first, reverse=True))


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 8, 13, 31, 32, 33, 100])
@pytest.mark.parametrize("batch_rows", [1, 4, 32])
@pytest.mark.parametrize("epochs", [0.5, 1, 2.25])
def test_every_step_is_full_and_the_run_as_long_as_the_epochs(rows: int, batch_rows: int, epochs: float) -> None:
    made = order(rows, epochs=epochs, batch_rows=batch_rows)
    size = min(batch_rows, rows)
    assert all(len(rows_of(made, step)) == size for step in range(made.steps))
    assert 0 <= made.steps * size - epochs * rows < size
    seen = Counter(row for step in range(made.steps) for row in rows_of(made, step))
    counts = [seen[row] for row in range(rows)]
    assert max(counts) - min(counts) <= 1, "no row is an epoch ahead of another"


def test_the_number_of_steps() -> None:
    assert steps_of(100, epochs=3, batch_rows=32) == 10
    assert steps_of(96, epochs=1, batch_rows=32) == 3
    assert steps_of(10, epochs=1, batch_rows=32) == 1
    assert steps_of(100, epochs=0.001, batch_rows=32) == 1
