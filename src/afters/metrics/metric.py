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
    of those vectors over any set of Cases is all that `from_totals` needs to give the scores of that set. A Case may
    give fewer numbers than another, as one with fewer choices; the others are then zero.
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


@runtime_checkable
class SampleMetric(Metric, Protocol):
    """A Metric whose score is no function of sums, because its ranks or bins are made of all Cases at once.

    It is given every row, and how often each is taken; so a resample, and an exchange of before and after, are scored
    as what they are (design/scores-that-are-no-sums.md). Its `from_totals` scores each Case by itself.
    """

    def from_counts(self, rows: Array, counts: Array) -> Array:
        """Turn rows (cases, width), taken `counts` (samples, cases) times, into scores (samples, len(names))."""
        ...


@runtime_checkable
class Reserved(Protocol):
    """A metric that does not let itself be compared in all circumstances."""

    def objection(self, *, cases: int) -> str | None:
        """Return why a comparison on so many Cases would mislead; None when it would not."""
        ...


def objection(metric: Metric, *, cases: int) -> str | None:
    """Return why this metric must not be compared on so many Cases; None when it may."""
    return metric.objection(cases=cases) if isinstance(metric, Reserved) else None


def must_match(metric: Metric) -> tuple[str, ...]:
    """Return what of the Results' identities must be equal for this metric: a score per token asks for `tokenizer`."""
    return getattr(metric, "must_match", ())


def stacked(rows: Sequence[Row]) -> Array:
    """Return the rows as one array of shape (cases, width), shorter ones filled up with zeros."""
    width = max(map(len, rows))
    return np.array([(*row, *(0.0,) * (width - len(row))) for row in rows], dtype=np.float64)


def reduce(metric: Metric, rows: Sequence[Row | None]) -> Mapping[str, float]:
    """Return the metric's scores over the rows that could be judged; nan where there are none."""
    judged = [row for row in rows if row is not None]
    if not judged:
        return dict.fromkeys(metric.names, float("nan"))
    observed = stacked(judged)
    if isinstance(metric, SampleMetric):
        values = metric.from_counts(observed, np.ones((1, len(observed))))
    else:
        values = metric.from_totals(observed.sum(axis=0, keepdims=True))
    return dict(zip(metric.names, values[0].tolist(), strict=True))


def mean_from_totals(totals: Array) -> Array:
    """Turn totals whose last column counts the Cases into means of the other columns."""
    return np.asarray(totals[:, :-1] / totals[:, -1:], dtype=np.float64)
