"""What is told of a score after fewer teaching rows, and of what the last of them gave. No scipy here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from afters.records import Direction


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference on the same Cases with its 95 % interval; nan where too few of them could be judged."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class AtRows:
    """A score after so many teaching rows."""

    rows: int
    """Of all tasks together."""
    own_rows: int
    """Of this task."""
    value: float
    low: float
    """Of the score's own 95 % interval; nan where it has none."""
    high: float
    gain: Difference
    """Against none at all, Case by Case."""
    unjudged: int


@dataclass(frozen=True, slots=True)
class RowCurve:
    """A task's primary score after none, some and all of the teaching rows.

    These comparisons explore: the verdict speaks of all rows, and nothing is tested here.
    """

    task: str
    metric: str
    """The score's name, as `rouge1`."""
    direction: Direction
    smallest_effect: float
    each: tuple[AtRows, ...]
    """Fewest rows first: none, which is the base, and last all, which is the run's own model."""
    last: Difference | None
    """All rows against the number before; None where no smaller number was taught."""
    left_out: tuple[int, ...]
    """Numbers that were asked for, and are more than there are rows."""

    @property
    def whole(self) -> AtRows:
        """The score after all rows."""
        return self.each[-1]

    @property
    def gained(self) -> bool:
        """Whether the interval of what all rows gave lies on the better side of zero."""
        return self._way(self.whole.gain) == "better"

    @property
    def last_rows(self) -> Literal["better", "worse", "unclear"]:
        """What the last rows made of the score, so far as the interval tells."""
        return "unclear" if self.last is None else self._way(self.last)

    @property
    def last_too_small(self) -> bool:
        """Whether the last rows gave less than what was declared to matter, their whole interval does."""
        return self.last is not None and self._signed(self.last)[1] < self.smallest_effect

    def share(self, one: AtRows) -> float:
        """Return the share of the whole gain that so many rows gave; nan where no gain is clear."""
        return one.gain.value / self.whole.gain.value if self.gained else math.nan

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, with the shares."""
        each = [asdict(one) | {"share_of_gain": self.share(one)} for one in self.each]
        return asdict(self) | {"each": each, "last_rows": self.last_rows if self.last else None}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> RowCurve:
        """Return what `plain` has made plain, and JSON has carried: a number that is not finite is null there."""
        known = {name: value for name, value in content.items() if name != "last_rows"}
        each = tuple(_at_rows(one) for one in content["each"])
        last = None if content["last"] is None else Difference(**_numbers(content["last"]))
        return cls(**known | {"each": each, "last": last, "left_out": tuple(content["left_out"])})

    def _way(self, difference: Difference) -> Literal["better", "worse", "unclear"]:
        low, high = self._signed(difference)
        return "better" if low > 0 else "worse" if high < 0 else "unclear"

    def _signed(self, difference: Difference) -> tuple[float, float]:
        """Return the ends of an interval such that more is better."""
        ends = difference.low, difference.high
        return ends if self.direction == "higher" else (-ends[1], -ends[0])


def _at_rows(content: Mapping[str, Any]) -> AtRows:
    known = {name: value for name, value in content.items() if name not in ("share_of_gain", "gain")}
    return AtRows(**_numbers(known), gain=Difference(**_numbers(content["gain"])))


def _numbers(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in content.items()}
