"""Instructions with answers that are known because the text was made from them. A pure function of seed and number.

Most tasks ask to carry names, numbers, amounts and dates from a text into an answer, since that is what a small base
model must bring along: what to say can be fine-tuned in minutes, how to copy cannot.
"""

from __future__ import annotations

from typing import NamedTuple

from afters.seeds import stream
from examples.base import copying, stories, talking
from examples.base.problem import Problem, Prose, Task
from examples.base.slots import Chance, happens, pick

TASKS: dict[str, Task] = {task.name: task for task in (*copying.TASKS, *stories.TASKS, *talking.TASKS)}

LAYOUTS = (
    "{instruction}\n\n{text}",
    "{instruction}\n\n{text}",
    "{instruction}\n{text}",
    "{text}\n\n{instruction}",
    "{text}\n\n{instruction}",
    "{text}\n{instruction}",
    "{instruction}\n\n{text}\n\nAnswer:",
    "Text:\n{text}\n\n{instruction}",
)

SHOTS = 0.12
"""The share of rows with one or two solved problems before the question."""

LONGEST_SHOT = 700
"""In characters; longer problems are asked without shots."""


class Row(NamedTuple):
    """A prompt and its answer, and which task they are of."""

    task: str
    prompt: str
    text: str
    """What the prompt asks about, without the instruction and the solved problems."""
    answer: str


def row(seed: int, index: int, *, prose: Prose, task: str | None = None) -> Row:
    """Return row `index`: a function of the arguments alone, whatever was drawn before.

    Args:
        seed: rows of two seeds have nothing in common but the material.
        index: from 0.
        prose: passages to ask about.
        task: a name in `TASKS`; None: drawn by the tasks' shares.
    """
    chance = stream(seed, "row", task or "any", index)
    chosen = TASKS[task] if task else _by_share(chance)
    wording, layout = pick(chance, chosen.wordings), pick(chance, LAYOUTS)
    problem = chosen.make(chance, prose)
    prompt = _asked(problem, wording, layout)
    if happens(chance, SHOTS) and len(prompt) <= LONGEST_SHOT:
        shots = [chosen.make(chance, prose) for _ in range(1 + int(chance.integers(2)))]
        solved = [f"{_asked(shot, wording, layout)}\n{shot.answer}" for shot in shots]
        # As `afters.model.prompt` lays shots out: an empty line between them and before the question.
        prompt = "\n\n".join([*(shot for shot in solved if len(shot) <= LONGEST_SHOT), prompt])
    return Row(chosen.name, prompt, problem.text, problem.answer)


def _asked(problem: Problem, wording: str, layout: str) -> str:
    return layout.format(instruction=wording.format(**problem.about), text=problem.text)


def _by_share(chance: Chance) -> Task:
    tasks = list(TASKS.values())
    place = chance.random() * sum(task.share for task in tasks)
    for task in tasks:
        place -= task.share
        if place < 0:
            return task
    return tasks[-1]
