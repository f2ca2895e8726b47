"""Results as they lie on disk, written small and by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from afters.evaluate import score
from afters.metrics.match import ExactMatch
from afters.metrics.rouge import Rouge
from afters.records import Case, Example, Prediction, Result

Write = Callable[[str, Sequence[Mapping[str, Any]]], Path]
"""Writes JSON lines."""

MakeRun = Callable[..., Path]
"""Writes a run folder: its name, and for each label the answers."""


def answered(label: str, answers: Sequence[str], *, weights: str, shots: str = "0") -> Result:
    """Return what a run keeps of these answers to "Say yes": right when the answer is yes."""
    cases = []
    for number, answer in enumerate(answers):
        name = f"q{number:03}"
        example = Example(
            name, "chats", f"chats.csv:{number + 2}", f"c{number}", "0", "Say yes", ("yes",), cluster=name
        )
        cases.append(Case(name, name, (example,), (Prediction(name, (answer,), prompt_hash=f"{number}-{shots}"),)))
    identity = {"weights": weights, "dataset": "d", "shots": shots, "decoding": "greedy"}
    return score(tuple(cases), [ExactMatch(), Rouge()], label=label, task="chats", identity=identity)
