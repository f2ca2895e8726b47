"""A sequence of trainings: what the task-by-stage matrix says was learned, carried over and forgotten.

`matrix[t][i]` is the score on task i after stage t; stage 0 is the base. The first tasks are those of the stages, in
their order: stage t taught task t - 1 of the columns. Further columns are tasks that no stage taught. Scores are such
that more is better, and of one scale, since they are averaged: 0.05 of BLEU is not 0.05 of accuracy.

In the formulas tasks and stages are counted from 1 to T, as their papers do, and R[t, i] is the same score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any, Final

from afters.compare.rows import Difference

Matrix = tuple[tuple[float, ...], ...]

MEASURES: Final = ("average", "backward_transfer", "forward_transfer", "forgetting", "general_change")
"""The measures of `Stages` that get an interval."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The matrix, and what is made of it; None where one stage, or no task untaught, leaves nothing to average."""

    matrix: Matrix
    """Shape (stages + 1, tasks)."""
    average: float
    """Average accuracy, see `average_accuracy`."""
    backward_transfer: float | None
    forward_transfer: float | None
    forgetting: float | None
    general_change: float | None
    relative_loss: float | None
    forgotten: tuple[float, ...]
    """Each task's, taught or not, see `forgotten`."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A run in stages."""

    tasks: tuple[str, ...]
    """The matrix's columns: first those of the stages, in their order, then what no stage taught."""
    metrics: tuple[str, ...]
    """The score of each column."""
    taught: int
    """How many stages there were."""
    made: Stages
    measures: Mapping[str, Difference]
    """Those of `MEASURES` that can be told, each with its 95 % interval over the judged rows."""

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Staged:
        """Return what `plain` has made plain, and JSON has carried."""
        made = content["made"]
        matrix = tuple(map(tuple, made["matrix"]))
        known = Stages(**{**made, "matrix": matrix, "forgotten": tuple(made["forgotten"])})
        measures = {name: Difference(**one) for name, one in content["measures"].items()}
        named = {name: tuple(content[name]) for name in ("tasks", "metrics")}
        return cls(**named, taught=content["taught"], made=known, measures=measures)


def stages(matrix: Sequence[Sequence[float]]) -> Stages:
    """Return what is made of the matrix; its first row is the base."""
    made = tuple(map(tuple, matrix))
    taught = len(made) - 1
    assert taught > 0, "a base and one stage at least"
    assert len({len(row) for row in made}) == 1, "each stage is asked every task"
    assert len(made[0]) >= taught, "each stage has its task"
    several, untaught = taught > 1, len(made[0]) > taught
    return Stages(
        made,
        average_accuracy(made),
        backward_transfer(made) if several else None,
        forward_transfer(made) if several else None,
        forgetting(made) if several else None,
        general_change(made) if untaught else None,
        relative_loss(made) if untaught and all(made[0][taught:]) else None,
        forgotten(made),
    )


def average_accuracy(matrix: Matrix) -> float:
    """Return ACC = 1/T sum_i R[T, i], over the taught tasks.

    Lopez-Paz and Ranzato, "Gradient Episodic Memory for Continual Learning", 2017 (arXiv:1706.08840).
    """
    return fmean(matrix[-1][: len(matrix) - 1])


def backward_transfer(matrix: Matrix) -> float:
    """Return BWT = 1/(T-1) sum_{i<T} (R[T, i] - R[i, i]): what later stages did to what earlier ones taught.

    Lopez-Paz and Ranzato, 2017. TRACE (arXiv:2310.06762) divides by T instead, and so tells (T-1)/T of it.
    """
    last = len(matrix) - 1
    return fmean(matrix[last][stage - 1] - matrix[stage][stage - 1] for stage in range(1, last))


def forward_transfer(matrix: Matrix) -> float:
    """Return FWT = 1/(T-1) sum_{i>1} (R[i-1, i] - b[i]): what earlier stages did for a task before it was taught.

    Lopez-Paz and Ranzato, 2017, where b[i] is the score of random weights. A base that was trained already knows
    something, so b[i] is the base's own score R[0, i] here.
    """
    taught = range(2, len(matrix))
    return fmean(matrix[stage - 1][stage - 1] - matrix[0][stage - 1] for stage in taught)


def forgetting(matrix: Matrix) -> float:
    """Return F = 1/(T-1) sum_{i<T} (max_{1<=l<T} R[l, i] - R[T, i]): how far earlier tasks fell from their best.

    Chaudhry et al., "Riemannian Walk for Incremental Learning", 2018 (arXiv:1801.10112). The base is no stage of it;
    `forgotten` counts it.
    """
    last = len(matrix) - 1
    return fmean(max(row[task] for row in matrix[1:last]) - matrix[last][task] for task in range(last - 1))


def forgotten(matrix: Matrix) -> tuple[float, ...]:
    """Return max_{l<T} R[l, i] - R[T, i] for every task: Chaudhry's f_i with the base as stage 0.

    So it can be told of the last stage's own task, and of tasks that no stage taught. Below 0 nothing was forgotten:
    the last stage is the best.
    """
    return tuple(max(scores[:-1]) - scores[-1] for scores in zip(*matrix, strict=True))


def general_change(matrix: Matrix) -> float:
    """Return the mean of R[T, i] - R[0, i] over the tasks that no stage taught.

    The general ability delta of Wang et al., "TRACE", 2023 (arXiv:2310.06762).
    """
    first = len(matrix) - 1
    return fmean(after - before for before, after in zip(matrix[0][first:], matrix[-1][first:], strict=True))


def relative_loss(matrix: Matrix) -> float:
    """Return the mean of (R[0, i] - R[t, i]) / R[0, i] over stages t and the tasks that no stage taught, as a share.

    FG of Luo et al., "An Empirical Study of Catastrophic Forgetting in Large Language Models During Continual
    Fine-tuning", 2023 (arXiv:2308.08747), which gives percent. Chance is not taken off; see `Kept.retention`.
    """
    first = len(matrix) - 1
    columns = [[row[task] for row in matrix] for task in range(first, len(matrix[0]))]
    return fmean((before - after) / before for before, *later in columns for after in later)
