"""Results as they lie on disk, written small and by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from afters.data.split import digest
from afters.evaluate import score
from afters.metrics.match import ExactMatch
from afters.metrics.metric import Metric
from afters.metrics.rouge import Rouge
from afters.records import Case, Example, Prediction, Result

Write = Callable[[str, Sequence[Mapping[str, Any]]], Path]
"""Writes JSON lines."""

MakeRun = Callable[..., Path]
"""Writes a run folder: its name, and for each label the answers."""

USUAL: tuple[Metric, ...] = (ExactMatch(), Rouge())


def answered(
    label: str,
    answers: Sequence[str],
    *,
    weights: str,
    shots: str = "0",
    task: str = "chats",
    judged_by: Sequence[Metric] = USUAL,
    references: tuple[str, ...] = ("yes",),
    choices: tuple[str, ...] = (),
) -> Result:
    """Return what a run keeps of these answers to "Say yes": right when the answer is yes, or a given reference."""
    cases = []
    for number, answer in enumerate(answers):
        name, content = f"q{number:03}", f"c{number}"
        example = Example(
            *(name, task, f"chats.csv:{number + 2}", content, "0", "Say yes", references),
            choices=choices,
            cluster=digest(content),
        )
        asked = Prediction(name, (answer,), prompt_hash=f"{number}-{shots}")
        cases.append(Case(name, example.cluster, (example,), (asked,)))
    identity = {"weights": weights, "dataset": "d", "shots": shots, "decoding": "greedy"}
    return score(tuple(cases), judged_by, label=label, task=task, identity=identity)
