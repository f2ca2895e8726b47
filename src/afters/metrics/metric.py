"""Metric: observe a Case, then reduce the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from afters.records import Case, Direction, Kind, Row

Array = NDArray[np.float64]


class Metric(Protocol):
    """Turns Cases into numbers, in two steps so that intervals and tests can work on what lies between.

    `observe` sees one Case and gives a vector of `width` numbers, or None when it cannot say anything. The sum
    of those vectors over any set of Cases is all that `from_totals` needs to give the scores of that set.
    """

    name: str
    """As `rouge`; what a study's `metrics` lists."""
    names: tuple[str, ...]
    """The scores it gives, as `rouge1`, `rouge2`."""
    kind: Kind
    direction: Direction
    chance: float | None
    signature: str
    """Options and version, as sacrebleu writes them: `nrefs:mean|stem:yes|version:1`."""

    def observe(self, case: Case) -> Row | None:
        """Return the Case's statistics, or None when this Case cannot be judged."""
        ...

    def from_totals(self, totals: Array) -> Array:
        """Turn summed statistics, shape (replicates, width), into scores, shape (replicates, len(names))."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A metric that knows on what texts its number misleads."""

    def note(self, references: Iterable[str]) -> str | None:
        """Return what to know of these references before a score is believed; None when there is nothing."""
        ...


def notes(metrics: Iterable[Metric], references: Sequence[str]) -> list[str]:
    """Return what the metrics have to say of these references."""
    told = (metric.note(references) for metric in metrics if isinstance(metric, Noting))
    return list(dict.fromkeys(note for note in told if note))


def reduce(metric: Metric, rows: Sequence[Row | None]) -> Mapping[str, float]:
    """Return the metric's scores over the rows that could be judged; nan where there are none."""
    judged = [row for row in rows if row is not None]
    if not judged:
        return dict.fromkeys(metric.names, float("nan"))
    totals = np.asarray(judged, dtype=np.float64).sum(axis=0, keepdims=True)
    return dict(zip(metric.names, metric.from_totals(totals)[0].tolist(), strict=True))


def mean_from_totals(totals: Array) -> Array:
    """Turn totals whose last column counts the Cases into means of the other columns."""
    return np.asarray(totals[:, :-1] / totals[:, -1:], dtype=np.float64)
