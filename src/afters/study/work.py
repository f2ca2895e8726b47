"""Work: what the stages of one run share; and Teller, who is told how it goes."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from afters.data.dataset import Dataset
from afters.data.other_wordings import OtherWordings
from afters.data.settings import TooLong
from afters.data.split import Side
from afters.metrics.metric import Metric
from afters.records import Decoding
from afters.runfolder import RunFolder
from afters.study.settings import Study

if TYPE_CHECKING:
    from afters.model.cache import AnswerCache
    from afters.model.parallel import Processes
    from afters.model.prompt import Prompter
    from afters.train.lessons import Pairs


class Advance(Protocol):
    """Is told that more of a stage's work is done."""

    def __call__(self, count: int, note: str = "") -> None:
        """Count pieces of work as done; `note` replaces what stands behind the bar."""
        ...


class Teller(Protocol):
    """Who is told how a study goes: the shell, a notebook, nobody."""

    def say(self, text: str) -> None:
        """Tell one line."""
        ...

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Open a stage of `total` pieces of work."""
        ...


class Silent:
    """Tells nobody."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def stage(self, name: str, total: int) -> AbstractContextManager[Advance]:
        """Open a stage that nobody sees."""
        return nullcontext(lambda count, note="": None)


class Measured(NamedTuple):
    """How long the rows of a side are in tokens, one number a row, in the order of its Dataset."""

    prompts: NDArray[np.int32]
    answers: NDArray[np.int32]
    """What is taught, with the token that ends it."""
    cut: NDArray[np.int32]
    """How much of the prompt was cut."""


@dataclass
class TaskAtHand:
    """A task with its rows, its metrics, and the score that decides."""

    name: str
    train: Dataset
    validation: Dataset
    test: Dataset
    metrics: tuple[Metric, ...]
    primary: str
    smallest_effect: float
    account: dict[str, Any]
    """The task's part of data.json."""
    decoding: Decoding
    """How its answers are written."""
    too_long: TooLong = "cut"
    """What is done with rows that are longer than the model reads or writes."""
    other_wordings: OtherWordings = OtherWordings()
    """The wordings that are judged besides the one that decides."""
    margin: float | None = None
    """Of a task that must not be lost: the loss that does not matter; None for 5 points."""
    soft: bool = False
    """Whether what the base expects at each token of an answer is taught, instead of the token."""
    rows_a_pass: int = field(init=False)
    """How many of the teaching rows a pass takes, once all tasks are known."""
    pairs: Pairs = field(init=False)
    """The teaching rows as token ids, once they are encoded."""
    measured: dict[Side, Measured] = field(init=False)
    """How long the rows are, once they are encoded."""

    @property
    def set_aside_told(self) -> str:
        """How many rows were set aside, and why: "; set aside: 3 empty answer"; nothing where all are used."""
        return "".join(f"; set aside: {entry['count']:,} {entry['reason']}" for entry in self.account["set_aside"])

    @property
    def sides(self) -> Mapping[Side, Dataset]:
        """Who teaches and who judges."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def decides(self) -> str:
        """The id of the wording that decides."""
        return self.test.template.wording(self.test.renderer.judge_wording).id

    @property
    def asks(self) -> bool:
        """Whether its rows are questions with answers, which can stand as solved examples."""
        return self.train.template.objective == "answer"

    @property
    def primary_metric(self) -> Metric:
        """The metric that gives the primary score."""
        return next(metric for metric in self.metrics if self.primary in metric.names)


@dataclass
class Work:
    """What the stages of one run share."""

    study: Study
    folder: RunFolder
    tell: Teller
    tasks: list[TaskAtHand]
    kept: list[TaskAtHand]
    """What must not be lost: judged before and after, and never taught."""
    left_out: Mapping[str, str]
    """Probes that nobody named and that do not fit the model, and why."""
    base: Path
    """The base model's folder."""
    prompter: Prompter
    processes: Processes
    """Who teaches and asks together."""
    shard: bool = False
    """Whether the model is shared out among them while it is taught."""
    cache: AnswerCache | None = None
    """What earlier studies asked; None: nothing is looked up or kept."""
    fewer: int | None = None
    """How many rows are taught, where that is fewer than there are; see `fewer_rows`."""
    other: str = ""
    """Of another model than the run's own, its name: a stage's, or what is made to lose less."""

    def named(self, task: str) -> TaskAtHand:
        """Return the task of that name, taught or kept."""
        return next(one for one in (*self.tasks, *self.kept) if one.name == task)

    @property
    def rows(self) -> int:
        """How many teaching rows all tasks have together."""
        return sum(len(task.train) for task in self.tasks)
