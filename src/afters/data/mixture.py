"""Many tasks as one stream: how much of each, and which of its rows comes at which place.

A pass has a fixed number of rows of each task. Each task's rows stand in a line of their own, freshly shuffled each
time it is through, and a pass takes the next ones: a task that gives fewer rows to a pass than it has goes on in the
next pass where it stopped, and one that gives more is repeated evenly. Which row stands at a place is a pure function
of the seed and the place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.seeds import stream


class Part(NamedTuple):
    """A part of a published mixture."""

    rate: float
    cap: int
    """More rows than this of one data set count as so many."""
    inverted: float | None = None
    """The share of its rows that are asked the other way round; None: that of the wordings."""


class Preset(NamedTuple):
    """A published mixture: its parts, each with its share, and where the numbers stand."""

    parts: Mapping[str, Part]
    source: str
    few_shot: float = 0.0
    """The share of rows with solved examples in their prompt."""


_CAPS = {"flan2021": 30_000, "t0": 20_000, "niv2": 5_000, "cot": 100_000, "dialog": 200_000}

_INVERTED = dict.fromkeys(("cot", "dialog"), 0.3 / 1.3)
"""Each of the two has a copy asked the other way round, at 0.3 of its rate."""


def _parts(**rates: float) -> dict[str, Part]:
    return {name: Part(rate, _CAPS[name], _INVERTED.get(name)) for name, rate in rates.items()}


PRESETS = {
    "flan2021": Preset(
        {"flan2021": Part(1.0, 3_000)},
        "FLAN v1: at most 30,000 rows of a data set, rates by size with a cap of 3,000 "
        "(Wei et al. 2021, arXiv:2109.01652)",
    ),
    "flan2022": Preset(
        _parts(flan2021=0.4, t0=0.32, niv2=0.2, cot=0.05, dialog=0.03),
        "the FLAN collection's flan/v2/run_example.py (Longpre et al. 2023, arXiv:2301.13688)",
        few_shot=0.5,
    ),
    "flan2022-mixtures": Preset(
        _parts(flan2021=4.0, t0=3.0, niv2=1.0, cot=1.0, dialog=1.0),
        "the FLAN collection's flan/v2/mixtures.py, DEFAULT_MIXTURE_RATES, which differ from run_example.py's",
        few_shot=0.5,
    ),
}
"""Published mixtures. Their caps are of one data set, whatever the number of its templates."""


def rates_by_size(sizes: Sequence[int], *, cap: int | None = None, temperature: float = 1.0) -> list[float]:
    """Return min(n, cap)^(1 / temperature) for each size (Raffel et al. 2020, arXiv:1910.10683, section 3.5.2).

    A temperature of 1 is proportional to size; a high one gives all tasks the same.

    >>> rates_by_size([100, 5_000], cap=1_000)
    [100.0, 1000.0]
    """
    capped = sizes if cap is None else [min(size, cap) for size in sizes]
    return [float(size) ** (1 / temperature) for size in capped]


def dealt(rates: Sequence[float], rows: int) -> list[int]:
    """Return how many of `rows` go to each rate: the nearest whole numbers that add up, by the largest remainder.

    >>> dealt([2.0, 1.0], 100)
    [67, 33]
    """
    shares = np.asarray(rates) / np.sum(rates) * rows
    counts = np.floor(shares).astype(np.int64)
    left = rows - int(counts.sum())
    counts[np.argsort(counts - shares, kind="stable")[:left]] += 1
    return [int(count) for count in counts]


class Mixture:
    """The stream of all tasks; places are counted on from pass to pass."""

    def __init__(self, sizes: Sequence[int], counts: Sequence[int], *, seed: int) -> None:
        """Mix tasks of so many rows, of which each pass takes so many."""
        assert all(sizes) and any(counts) and len(sizes) == len(counts)
        self._sizes, self._seed = np.asarray(sizes), seed
        self._counts, self._ends = np.asarray(counts), np.cumsum(counts)
        self.rows = int(self._ends[-1])
        """In a pass."""

    def at(self, places: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each place its task and which of the task's rows stands there, (places,) each."""
        passed, slots = np.divmod(places, self.rows)
        tasks = np.searchsorted(self._ends, slots, side="right")
        counts, sizes = self._counts[tasks], self._sizes[tasks]
        through, index = np.divmod((passed + 1) * counts + slots - self._ends[tasks], sizes)
        rows = np.empty_like(places)
        for task, time in {*zip(tasks.tolist(), through.tolist(), strict=True)}:
            here = (tasks == task) & (through == time)
            rows[here] = _line(self._seed, task, time, int(self._sizes[task]))[index[here]]
        return tasks, rows


@lru_cache(maxsize=256)
def _line(seed: int, task: int, through: int, rows: int) -> NDArray[np.int64]:
    return stream(seed, "mixture", task, through).permutation(rows)
