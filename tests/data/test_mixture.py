from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from afters.data.mixture import PRESETS, Mixture, dealt, rates_by_size


def stream(mixture: Mixture, passes: int) -> list[tuple[int, int]]:
    tasks, rows = mixture.at(np.arange(passes * mixture.rows))
    return [*zip(tasks.tolist(), rows.tolist(), strict=True)]


def test_rates_are_those_of_t5s_paper() -> None:
    """Raffel et al. 2020, section 3.5.2: r = min(e, K), raised to 1 / T."""
    assert rates_by_size([10, 200, 4_000], cap=1_000) == [10.0, 200.0, 1_000.0]
    assert rates_by_size([100, 10_000], temperature=2) == pytest.approx([10.0, 100.0])
    assert rates_by_size([100, 10_000], temperature=1e9) == pytest.approx([1.0, 1.0])


def test_dealt_rows_add_up_and_are_never_a_whole_row_off() -> None:
    rates = [0.4, 0.32, 0.2, 0.05, 0.03]
    for rows in (5, 99, 1_000, 12_345):
        counts = dealt(rates, rows)
        assert sum(counts) == rows
        assert all(abs(count - rate * rows) < 1 for count, rate in zip(counts, rates, strict=True))


def test_each_pass_takes_its_number_of_rows_of_each_task() -> None:
    made = Mixture([10, 3, 100], [10, 7, 20], seed=1)
    for number in range(4):
        tasks, _ = made.at(np.arange(37) + number * 37)
        assert Counter(tasks.tolist()) == {0: 10, 1: 7, 2: 20}


def test_a_task_goes_on_where_the_pass_before_stopped_and_repeats_evenly() -> None:
    seen = Counter(stream(Mixture([10, 3, 100], [10, 7, 20], seed=1), 5))
    assert {seen[2, row] for row in range(100)} == {1}  # 5 passes of 20
    assert {seen[0, row] for row in range(10)} == {5}
    assert {seen[1, row] for row in range(3)} == {11, 12}  # 35 draws of 3 rows


def test_a_place_says_the_same_whatever_was_asked_before() -> None:
    whole = stream(Mixture([10, 3, 100], [10, 7, 20], seed=1), 5)
    late = Mixture([10, 3, 100], [10, 7, 20], seed=1)

    def one(place: int) -> tuple[int, int]:
        tasks, rows = late.at(np.array([place]))
        return int(tasks[0]), int(rows[0])

    assert [one(place) for place in range(len(whole) - 1, -1, -1)] == whole[::-1]


def test_another_seed_takes_other_rows() -> None:
    def rows(seed: int) -> NDArray[np.int64]:
        return Mixture([1_000], [10], seed=seed).at(np.arange(10))[1]

    assert not np.array_equal(rows(1), rows(2))


def test_presets_tell_where_their_numbers_stand() -> None:
    assert sum(part.rate for part in PRESETS["flan2022"].parts.values()) == pytest.approx(1)
    assert all("arXiv" in preset.source or "FLAN" in preset.source for preset in PRESETS.values())
