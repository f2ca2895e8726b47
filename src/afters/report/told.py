"""Told: all that a report may tell, as it lies in a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from afters.compare.cures import Cure
from afters.compare.kept import Divergence, Kept
from afters.compare.rows import RowCurve
from afters.compare.stages import Staged
from afters.compare.wordings import Wordings
from afters.metrics.metric import Metric
from afters.records import Comparison, Result


class Besides(NamedTuple):
    """What a run may have compared beside its scores."""

    wordings: tuple[Wordings, ...] = ()
    """For each task that was judged in all its wordings, the primary score in each of them."""
    rows: tuple[RowCurve, ...] = ()
    """For each task, where fewer rows were taught as well, the primary score at each number of them."""
    kept: tuple[Kept, ...] = ()
    """What was not taught, and whether it was lost."""
    cures: tuple[Cure, ...] = ()
    """What was tried so that less is lost: the run's own model first."""
    stages: Staged | None = None
    """The task-by-stage matrix, where the tasks were taught one after the other."""
    divergence: Divergence | None = None
    """How far tuning has moved the model on the first task's prompts."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was found and how; assembled from a run folder, without a model and without torch."""

    name: str
    """The study's name."""
    results: tuple[Result, ...]
    """In the order in which they are shown: before, "shots=1", "shots=2", "nearest", after."""
    comparisons: tuple[Comparison, ...]
    """At least one; the primary one first."""
    primary: str
    """The name of the primary score, as `rouge1`."""
    metric: Metric
    """The metric that gives the primary score; turns the row of one Case into this Case's score."""
    wordings: tuple[Wordings, ...] = ()
    rows: tuple[RowCurve, ...] = ()
    kept: tuple[Kept, ...] = ()
    cures: tuple[Cure, ...] = ()
    stages: Staged | None = None
    divergence: Divergence | None = None
    """As `Besides` says them."""
    kept_results: tuple[Result, ...] = ()
    """Of what was not taught, before and after."""
    steps: tuple[Mapping[str, Any], ...] = ()
    """The training log: `step`, `rows`, `loss`, `learning_rate`, `gradient_norm`, `seconds`; some lines have
    `validation`, and of several tasks `tasks`: of each its `rows`, answer `tokens` and `loss`."""
    validation_name: str = "loss"
    """What `validation` measures."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """A task's part of data.json, as `data/account.py` tells it (counts for each side, "set_aside", "overlap",
    "notes"), and besides under "lengths", for "prompt_tokens" and "answer_tokens", each side's [min, median, p95, max];
    under "cut", for each side, names and counts."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The study as resolved, nested."""
    versions: Mapping[str, str] = field(default_factory=dict)
    not_measured: tuple[str, ...] = ()
    """Sentences."""
    costs: Mapping[str, float] = field(default_factory=dict)
    """Names that end in `seconds` or `mb`, as `train_seconds` and `peak_memory_mb`; a bare name is in seconds."""

    def __post_init__(self) -> None:
        """Hold what the run folder promises: a comparison, and the Results it speaks of."""
        assert self.comparisons, "a report needs a comparison"
        assert self.primary in self.metric.names, f"{self.metric.name} does not give {self.primary}"
        first = self.comparisons[0]
        assert first.metric == self.primary, f"the first comparison is of {first.metric}, not of {self.primary}"
        assert {first.before, first.after} <= {result.label for result in self.results_of(first.task)}

    @property
    def headline(self) -> Comparison:
        """The primary comparison."""
        return self.comparisons[0]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that were judged, the primary comparison's first."""
        return tuple(dict.fromkeys([self.headline.task, *(result.task for result in self.results)]))

    def results_of(self, task: str) -> tuple[Result, ...]:
        """Return the Results of one task, in the order in which they are shown."""
        return tuple(result for result in self.results if result.task == task)

    def result(self, label: str, *, task: str) -> Result:
        """Return the Result of that label and task; KeyError when there is none."""
        found = [result for result in self.results_of(task) if result.label == label]
        if not found:
            raise KeyError(label)
        return found[0]
