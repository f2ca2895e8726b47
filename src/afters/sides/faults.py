"""What is wrong with the rows of a file: told together, each kind of fault once, with the rows that have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from afters.errors import DataError, InputError

NAMED: Final = 5
"""So many rows of a fault are named; the others are counted."""


@dataclass(frozen=True)
class Faults:
    """The faults of one file, gathered row by row."""

    file: str
    others: list[InputError] = field(default_factory=list)
    """Rows that are no rows at all, as the reader told them."""
    _found: dict[tuple[str, str, str], list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, what: str, *, row: int, expected: str, received: str, hint: str = "") -> None:
        """Note that a row has a fault."""
        self._found.setdefault((what, expected, hint), []).append((row, received))

    def told(self) -> list[InputError]:
        """Return one error for each kind of fault."""
        return [*_few(self.others, self.file), *(self._told(*key, rows) for key, rows in self._found.items())]

    def _told(self, what: str, expected: str, hint: str, rows: Sequence[tuple[int, str]]) -> DataError:
        (row, received), *more = rows
        if more:
            received += f"; and in {and_more([str(number) for number, _ in more])} as well"
        return DataError(what, where=f"{self.file}:{row}", expected=expected, received=received, hint=hint or None)


def and_more(names: Sequence[str], *, noun: str = "row") -> str:
    """Return "rows 3, 5 and 7", or "rows 3, 4, 5, 6, 7 and 20 more"."""
    shown, left = list(names[:NAMED]), len(names) - NAMED
    plural = noun if len(names) == 1 else f"{noun}s"
    if left > 0:
        return f"{plural} {', '.join(shown)} and {left:,} more"
    return f"{plural} {' and '.join(filter(None, [', '.join(shown[:-1]), shown[-1]]))}"


def _few(problems: Sequence[InputError], file: str) -> list[InputError]:
    if len(problems) <= NAMED:
        return list(problems)
    return [*problems[:NAMED], DataError(f"{len(problems) - NAMED:,} more rows cannot be read", where=file)]
