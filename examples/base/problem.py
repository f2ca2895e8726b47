"""Problem, Task: what one kind of instruction is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from examples.base.slots import Chance

Prose = Sequence[str]
"""Passages of prose, to be asked about or to hide something in."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A text, what is asked about it, and the answer."""

    text: str
    answer: str
    about: Mapping[str, str] = field(default_factory=dict)
    """What the wordings of the task leave open."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of problem: how often it comes, how it is made, and how it is asked."""

    name: str
    share: float
    """Of all rows, relative to the other tasks."""
    make: Callable[[Chance, Prose], Problem]
    wordings: tuple[str, ...]
    """Instructions; words in braces come from `Problem.about`."""
