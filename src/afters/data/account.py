"""Account: where every row went, so that nothing is dropped in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from afters.data.split import SIDES, Side
from afters.records import SetAside

Place = Side | Literal["unassigned"]
"""A side; or none, for a row too broken to say which side it belongs to."""

PLACES: tuple[Place, ...] = (*SIDES, "unassigned")

SHOWN = 5
"""Rows that are named for each reason; the others are only counted."""


ALSO, OVER = "also on the", "over"
"""How the reasons begin that lie not in the row itself: its content is judged; a limit is reached."""


class Account:
    """Counts the rows of a task: for each side, rows read are rows used and rows set aside."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        """What a person should know and no count tells."""
        self._read: Counter[Place] = Counter()
        self._used: Counter[Place] = Counter()
        self._reasons: Counter[tuple[Place, str]] = Counter()
        self._examples: dict[tuple[Place, str], list[SetAside]] = {}
        self._duplicates: dict[Side, int] = {}
        self._overlap: dict[str, Any] = {}

    def read(self, place: Place, rows: int) -> None:
        """Count rows as read."""
        self._read[place] += rows

    def use(self, place: Place, rows: int) -> None:
        """Count rows as used."""
        self._used[place] += rows

    def set_aside(self, place: Place, row: SetAside) -> None:
        """Count a row as set aside, and keep the first ones of each reason."""
        key = (place, row.reason)
        self._reasons[key] += 1
        if self._reasons[key] <= SHOWN:
            self._examples.setdefault(key, []).append(row)

    def broken(self, place: Place, rows: Sequence[SetAside]) -> None:
        """Count rows that could not be read, as read and as set aside."""
        self.read(place, len(rows))
        for row in rows:
            self.set_aside(place, row)

    def compare(self, keys: Mapping[Side, Sequence[str]]) -> None:
        """Count what stands twice: within a side, and on two sides; `keys` are digests of content."""
        sets = {side: set(keys[side]) for side in SIDES}
        self._duplicates = {side: len(keys[side]) - len(sets[side]) for side in SIDES}
        for side in SIDES[1:]:
            self._overlap[side] = {
                "judging_rows": sum(key in sets["train"] for key in keys[side]),
                "teaching_rows": sum(key in sets[side] for key in keys["train"]),
            }
        self._overlap["validation_in_test"] = sum(key in sets["test"] for key in keys["validation"])

    def reasons(self, place: Place) -> str:
        """Return why rows of a place were set aside, the most common reason first, each with the first such row."""
        found = Counter({reason: count for (where, reason), count in self._reasons.items() if where == place})
        return ", ".join(
            f"{count} × {reason} ({_shown(self._examples[place, reason][0])})" for reason, count in found.most_common()
        )

    def told(self) -> dict[str, Any]:
        """Return the whole account, ready for JSON.

        `train`, `validation`, `test` (and `unassigned`, where there are such rows): `read`, `used`, `set_aside`.
        `set_aside`: for each side and reason the `count`, and up to five `examples` with `source` and `detail`.
        `duplicates`: rows whose content came before on the same side. `overlap`: for each judging side the
        `judging_rows` whose content was among the teaching rows as given, and the `teaching_rows` that were set aside
        for it; `validation_in_test` is only counted.
        """
        return {
            **{place: self._counts(place) for place in PLACES if place in SIDES or self._read[place]},
            "set_aside": [self._group(*key) for key in sorted(self._reasons)],
            "duplicates": self._duplicates,
            "overlap": self._overlap,
            "notes": self.notes,
        }

    def _counts(self, place: Place) -> dict[str, int]:
        aside = sum(count for (where, _), count in self._reasons.items() if where == place)
        assert self._read[place] == self._used[place] + aside, f"rows of {place} are unaccounted for"
        return {"read": self._read[place], "used": self._used[place], "set_aside": aside}

    def _group(self, place: Place, reason: str) -> dict[str, Any]:
        examples = [{"source": row.source, "detail": row.detail} for row in self._examples[place, reason]]
        return {"side": place, "reason": reason, "count": self._reasons[place, reason], "examples": examples}


def _shown(row: SetAside) -> str:
    return ", ".join(filter(None, [row.source, row.detail]))
