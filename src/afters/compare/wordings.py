"""What is told of a score in every wording that judging asked, and how far the wordings lie apart. No scipy here."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from afters.records import Direction


class Spread(NamedTuple):
    """How far the scores of several wordings lie apart."""

    wordings: int
    """Those that have a score."""
    mean: float
    least: float
    most: float
    standard_deviation: float
    """Of a sample: the squares are divided by one less than there are wordings."""


def spread(values: Iterable[float]) -> Spread:
    """Return the spread of the scores that are known; of fewer than two there is no deviation.

    >>> spread([0.5, 0.25, 0.75])
    Spread(wordings=3, mean=0.5, least=0.25, most=0.75, standard_deviation=0.25)
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Spread(0, math.nan, math.nan, math.nan, math.nan)
    deviation = statistics.stdev(known) if len(known) > 1 else math.nan
    return Spread(len(known), statistics.fmean(known), min(known), max(known), deviation)


@dataclass(frozen=True, slots=True)
class InWording:
    """A score before and after in one wording, on the Cases that both could be judged on."""

    wording: str
    """Its id."""
    prompt: str
    """As the template writes it."""
    before: float
    after: float
    difference: float
    low: float
    high: float
    """The 95 % interval of the difference; nan, as the scores, where too few Cases could be judged."""
    unjudged: int


@dataclass(frozen=True, slots=True)
class Wordings:
    """A task's primary score in every wording that judging asked.

    These comparisons explore: the verdict stays with the wording that was declared, and nothing is tested here.
    """

    task: str
    metric: str
    """The score's name, as `rouge1`."""
    direction: Direction
    decides: str
    """The wording that the verdict speaks of."""
    each: tuple[InWording, ...]
    left_out: Mapping[str, str]
    """Why the template's other wordings were not asked, by their ids."""

    @property
    def spreads(self) -> dict[str, Spread]:
        """The spread among the wordings of what each of them found: before, after, and the difference."""
        names = ("before", "after", "difference")
        return {name: spread(getattr(one, name) for one in self.each) for name in names}

    def changed(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return in how many wordings after is better, and worse; and in how many of these no interval holds zero."""
        sign = 1 if self.direction == "higher" else -1
        better, worse = ([one for one in self.each if way * one.difference > 0] for way in (sign, -sign))
        return _with_clear(better), _with_clear(worse)

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values, with the spreads."""
        return asdict(self) | {"spread": {name: found._asdict() for name, found in self.spreads.items()}}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Wordings:
        """Return what `plain` has made plain, and JSON has carried: a number that is not finite is null there."""
        known = {name: value for name, value in content.items() if name not in ("spread", "each")}
        return cls(**known, each=tuple(InWording(**_numbers(one)) for one in content["each"]))


def _with_clear(found: Sequence[InWording]) -> tuple[int, int]:
    return len(found), sum(not one.low <= 0 <= one.high for one in found)


def _numbers(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: math.nan if value is None else value for name, value in content.items()}
