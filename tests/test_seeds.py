from __future__ import annotations

import doctest
import hashlib

import numpy as np

from afters import seeds
from afters.seeds import fraction, number, stream


def test_a_number_is_the_hash_of_seed_and_names() -> None:
    """Written out, so that no later version moves what a seed gave: 63 bits of the sha256, the names parted."""
    digest = hashlib.sha256(b"7\x1forder\x1f0").digest()
    assert number(7, "order", 0) == int.from_bytes(digest[:8], "big") // 2
    assert number(7) == int.from_bytes(hashlib.sha256(b"7").digest()[:8], "big") // 2


def test_draws_are_those_recorded_once() -> None:
    """Recorded with numpy 2; Philox's streams are promised to stay."""
    assert stream(7, "order", 0).integers(1_000_000, size=4).tolist() == RECORDED
    assert stream(7, "order", 0).permutation(6).tolist() == SHUFFLED


RECORDED = [520594, 924662, 143659, 925228]
SHUFFLED = [3, 5, 1, 2, 4, 0]


def test_streams_are_their_own_whatever_else_is_drawn() -> None:
    first = stream(7, "order", 0).random(5)
    stream(7, "order", 1).random(100)
    np.random.default_rng(7).random(100)
    assert np.array_equal(stream(7, "order", 0).random(5), first)


def test_seed_and_every_name_count_and_names_do_not_run_together() -> None:
    made = {number(7, "a", "b"), number(7, "ab"), number(7, "b", "a"), number(7, "a"), number(8, "a", "b"), number(7)}
    assert len(made) == 6
    assert number(7, 1, 2) != number(71, 2)


def test_fractions_are_even_between_0_and_1() -> None:
    drawn = np.array([fraction(3, "row", index) for index in range(4000)])
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts = np.histogram(drawn, bins=10, range=(0, 1))[0]
    # Each bin expects 400 and has a standard deviation of 19.
    assert counts.min() > 400 - 5 * 19
    assert counts.max() < 400 + 5 * 19


def test_the_examples_in_its_docstrings_run() -> None:
    assert doctest.testmod(seeds).failed == 0
