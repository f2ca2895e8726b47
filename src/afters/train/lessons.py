"""What is taught, pass by pass, as token ids: places are counted on from pass to pass."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray

from afters.model.network import Ids, Pair

Places = NDArray[np.int64]

TWO_BYTES = 2**16 - 1
"""The greatest token id that fits into two bytes."""


class Lessons(Protocol):
    """Rows to teach; which one stands at a place never changes."""

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        ...

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the tasks that a Pair counts; none where all rows are of one."""
        ...

    def lengths(self, places: Places) -> NDArray[np.int64]:
        """Return about how many tokens prompt and answer have at each place, (places, 2)."""
        ...

    def pairs(self, places: Places) -> list[Pair]:
        """Return the rows at these places, (places,)."""
        ...


class Pairs(Sequence[Pair]):
    """Rows in two bytes a token, or four where a vocabulary needs them; as Lessons, each pass has every row once."""

    tasks: tuple[str, ...] = ()

    def __init__(self, pairs: Iterable[Pair] = ()) -> None:
        self._ids, self._ends = array("H"), array("Q", [0])
        for pair in pairs:
            self.append(pair.prompt, pair.answer)

    def append(self, prompt: Ids, answer: Ids) -> None:
        """Add a row."""
        for ids in (prompt, answer):
            if self._ids.typecode == "H" and max(ids, default=0) > TWO_BYTES:
                self._ids = array("I", self._ids)
            self._ids.extend(ids)
            self._ends.append(len(self._ids))

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        return len(self)

    def __len__(self) -> int:
        return len(self._ends) // 2

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...
    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        first, middle, last = self._ends[2 * (row := range(len(self))[index]) : 2 * row + 3]
        return Pair(tuple(self._ids[first:middle]), tuple(self._ids[middle:last]))

    def lengths(self, places: Places) -> NDArray[np.int64]:
        """Return how many tokens prompt and answer have at each place, (places, 2)."""
        return self.sizes()[places % len(self)]

    def sizes(self) -> NDArray[np.int64]:
        """Return how many tokens prompt and answer of each row have, (rows, 2)."""
        ends = np.array(self._ends, dtype=np.int64)
        return (ends[1:] - ends[:-1]).reshape(-1, 2)

    def pairs(self, places: Places) -> list[Pair]:
        """Return the rows at these places, (places,)."""
        return [self[row] for row in (places % len(self)).tolist()]

    def bytes(self) -> Iterator[memoryview]:
        """Yield what tells these rows from all others, as bytes."""
        yield memoryview(self._ends).cast("B")
        yield memoryview(self._ids).cast("B")


def heaviest(lessons: Lessons, *, rows: int) -> list[list[Pair]]:
    """Return so many rows as could meet in the heaviest steps of a pass: the longest, and those with most to write."""
    prompts, answers = lessons.lengths(np.arange(lessons.rows)).T
    orders = [np.argsort(-(prompts + answers), kind="stable"), np.lexsort((-prompts, -answers))]
    return [lessons.pairs(order[:rows]) for order in orders]
