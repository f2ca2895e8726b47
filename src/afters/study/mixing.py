"""The teaching stream of a study: its tasks in proportion, some of the rows with solved examples before them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afters.data.mixture import Mixture
from afters.model.network import Pair
from afters.model.prompt import Prompter
from afters.records import Example
from afters.seeds import stream
from afters.study.settings import MixtureSettings
from afters.study.work import TaskAtHand
from afters.train.lessons import Lessons, Places

SPARE = 2
"""Rows drawn beyond the shots that are wanted: one may be drawn twice, or say the same as the row that is asked."""


class Mixed:
    """The Lessons of several tasks, or of one with solved examples before some of its rows."""

    def __init__(
        self,
        tasks: Sequence[TaskAtHand],
        settings: MixtureSettings,
        *,
        prompter: Prompter,
        seed: int,
    ) -> None:
        self.tasks = tuple(task.name for task in tasks)
        self._tasks, self._settings, self._prompter, self._seed = tasks, settings, prompter, seed
        self._mixture = Mixture([len(task.train) for task in tasks], [task.rows_a_pass for task in tasks], seed=seed)
        self._sizes = np.concatenate([task.pairs.sizes() for task in tasks])
        self._firsts = np.cumsum([0, *(len(task.train) for task in tasks)])
        self._shots = lru_cache(maxsize=4)(self._shots_of_pass)

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        return self._mixture.rows

    def lengths(self, places: Places) -> NDArray[np.int64]:
        """Return about how many tokens prompt and answer have at each place, shots included, (places, 2)."""
        tasks, rows = self._mixture.at(places)
        lengths = self._sizes[self._firsts[tasks] + rows]
        if self._settings.few_shot_share:
            # Shots are of the row's own task, about as long as the row itself.
            longest = self._prompter.max_prompt_tokens
            lengths[:, 0] = np.minimum(lengths[:, 0] + self._counts(places) * lengths.sum(axis=1), longest)
        return lengths

    def pairs(self, places: Places) -> list[Pair]:
        """Return the rows at these places, (places,)."""
        tasks, rows = (found.tolist() for found in self._mixture.at(places))
        found = [
            self._tasks[task].pairs[row]._replace(task=task, soft=self._tasks[task].soft)
            for task, row in zip(tasks, rows, strict=True)
        ]
        counts = self._counts(places)
        solved = {
            index: self._with_shots(tasks[index], rows[index], place=int(places[index]), count=int(counts[index]))
            for index in np.flatnonzero(counts).tolist()
        }
        if solved:
            self._prompter.read_ahead(solved.values())
        for index, example in solved.items():
            prompt = self._prompter.prompt(example, answer_tokens=len(found[index].answer))
            found[index] = found[index]._replace(prompt=prompt.ids)
        return found

    def _with_shots(self, task: int, row: int, *, place: int, count: int) -> Example:
        taught = self._tasks[task].train
        drawn = stream(self._seed, "shots", place).integers(len(taught), size=count + SPARE).tolist()
        return taught.with_solved(row, [*dict.fromkeys(drawn)], count=count)

    def _counts(self, places: Places) -> NDArray[np.int64]:
        """Return how many shots stand at each place, (places,)."""
        if not self._settings.few_shot_share:
            return np.zeros_like(places)
        passes, slots = np.divmod(places, self.rows)
        return np.array(
            [self._shots(number)[slot] for number, slot in zip(passes.tolist(), slots.tolist(), strict=True)]
        )

    def _shots_of_pass(self, number: int) -> NDArray[np.int64]:
        drawn = stream(self._seed, "few-shot", number)
        has = drawn.random(self.rows) < self._settings.few_shot_share
        return np.where(has, drawn.integers(1, self._settings.most_shots, size=self.rows, endpoint=True), 0)


def lessons_of(tasks: Sequence[TaskAtHand], settings: MixtureSettings, *, prompter: Prompter, seed: int) -> Lessons:
    """Return what is taught: a single task's rows as they are, or a Mixture."""
    [first, *others] = tasks
    if not others and not settings.few_shot_share and first.rows_a_pass == len(first.train):
        return first.pairs
    return Mixed(tasks, settings, prompter=prompter, seed=seed)
