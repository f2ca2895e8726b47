"""All generated tasks: a row is a function of seed, side and number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from afters.seeds import stream
from examples.base.generated.dialogues import dialogue
from examples.base.generated.events import headline, question, rewriting
from examples.base.generated.fields import entities, form
from examples.base.generated.labels import sentiment, topic
from examples.base.generated.numbers import arithmetic, sorting
from examples.base.generated.words import Side
from examples.base.slots import Chance

Row = Mapping[str, Any]


def summary(chance: Chance, side: Side) -> Row:
    """A dialogue, and what it comes to."""
    found = dialogue(chance, side)
    return {"dialogue": found.text, "summary": found.summary}


def title(chance: Chance, side: Side) -> Row:
    """A dialogue about one matter, and that matter in a few words."""
    found = dialogue(chance, side, matters=1)
    return {"dialogue": found.text, "title": found.title} if found.title else title(chance, side)


TASKS: dict[str, Callable[[Chance, Side], Row]] = {
    **{"summary": summary, "title": title, "question": question, "headline": headline, "form": form},
    **{"entities": entities, "rewriting": rewriting, "sentiment": sentiment, "topic": topic, "sorting": sorting},
    "arithmetic": arithmetic,
}

TEMPLATES = {name: f"{name}.toml" for name in TASKS} | {
    "summary": "dialogue.toml/summary",
    "title": "dialogue.toml/title",
}
"""In the folder `templates/`, the template that asks a task's rows."""


def row(task: str, side: Side, index: int, *, seed: int) -> Row:
    """Return a row of a task: a function of the arguments alone."""
    return TASKS[task](stream(seed, "generated", task, side, index), side)
