"""Tell how two models did on the same tasks: task by task, and in the mean over the tasks, with its interval.

    python -m examples.natural_instructions.together runs/base runs/tuned runs/tuned-misled

Each is a folder of `afters evaluate`: the base and the tuned model on `held-out.toml`, and the tuned one on
`other-definitions.toml`. Beside them stands what needs no model: the first sentence of the input, the task's most
frequent answer, and the tuned model's answers, each given to another row of its task, where only their form is right.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afters.compare.resample import REPLICATES
from afters.evaluate import score
from afters.metrics.metric import Metric
from afters.records import Case, Comparison, Result
from afters.runfolder import RunFolder
from afters.seeds import stream
from afters.sides.compare import compare_sides
from afters.sides.scoring import metric_of

COLUMNS = ("before", "after", "other definition", "first sentence", "most frequent", "another row's")


class Line(NamedTuple):
    """One task."""

    found: Comparison
    scores: tuple[float, ...]
    """One for each of COLUMNS."""


class Mean(NamedTuple):
    """A mean over tasks, and where it would lie for other tasks of their kind."""

    value: float
    low: float
    high: float


def lines(before: Path, after: Path, misled: Path) -> list[Line]:
    """Return every task that both sides hold, scored by what decides it."""
    told = compare_sides([before], [after])
    asked = {
        task: next(iter(results.values())) for task, results in RunFolder.opened(misled, judged=True).results().items()
    }
    primary = [found for found in told.comparisons if found.primary]
    return [
        Line(found, _scores(found, told.result(found.after, task=found.task), misled=asked[found.task]))
        for found in primary
    ]


def _scores(found: Comparison, after: Result, *, misled: Result) -> tuple[float, ...]:
    cases = after.cases
    metric = metric_of(found.metric, [after], columns=(), lower=None)
    written = [case.predictions[0].answers[0] for case in cases]
    half = len(cases) // 2  # neighbours are often about the same passage
    usual = Counter(right for case in cases for right in case.examples[0].references).most_common(1)[0][0]
    others = ([first_sentence(case) for case in cases], [usual] * len(cases), written[half:] + written[:half])
    value = misled.score(found.metric).value
    return (
        found.before_value,
        found.after_value,
        value,
        *(_score(found.metric, metric, cases, answers) for answers in others),
    )


def _score(name: str, metric: Metric, cases: Sequence[Case], answers: Sequence[str]) -> float:
    """Return what these answers would have scored."""
    answered = tuple(
        replace(case, predictions=(replace(case.predictions[0], answers=(answer,)),))
        for case, answer in zip(cases, answers, strict=True)
    )
    return score(answered, [metric], label="", task="", identity={}).score(name).value


def first_sentence(case: Case) -> str:
    """Return the first sentence of what stands in the row's input."""
    asked = case.examples[0]
    assert asked.cuttable is not None, "the template lets the input be cut"
    start, end = asked.cuttable
    return re.split(r"(?<=[.!?])\s", asked.prompt[start:end].strip(), maxsplit=1)[0]


def over_tasks(values: Sequence[float]) -> Mean:
    """Return the mean, with the 95 % interval of a percentile bootstrap that draws whole tasks."""
    drawn = stream(0, "tasks").integers(len(values), size=(REPLICATES, len(values)))
    low, high = np.quantile(np.asarray(values)[drawn].mean(axis=1), [0.025, 0.975])
    return Mean(float(np.mean(values)), float(low), float(high))


def table(found: Sequence[Line]) -> str:
    """Return it all as a table in Markdown, the counted verdicts, and the differences in the mean."""
    head = [
        "| task | decided by | verdict |" + "".join(f" {name} |" for name in COLUMNS),
        "|:--|:--|:--|" + "--:|" * len(COLUMNS),
    ]
    rows = [
        f"| {line.found.task} | {line.found.metric} | {line.found.verdict} |"
        + "".join(f" {value:.3f} |" for value in line.scores)
        for line in found
    ]
    columns = list(zip(*(line.scores for line in found), strict=True))
    mean = f"| mean of {len(found)} tasks | | |" + "".join(f" {np.mean(values):.3f} |" for values in columns)
    verdicts = ", ".join(
        f"{count} {word}" for word, count in Counter(line.found.verdict for line in found).most_common()
    )
    told = [f"After against {name}: {_difference(columns[1], columns[place])}" for place, name in _RIVALS]
    return "\n".join([*head, *rows, mean, "", f"Verdicts: {verdicts}.", *told])


_RIVALS = [(place, name) for place, name in enumerate(COLUMNS) if name != "after"]


def _difference(after: Sequence[float], rival: Sequence[float]) -> str:
    gains = [one - other for one, other in zip(after, rival, strict=True)]
    mean = over_tasks(gains)
    higher = sum(gain > 0 for gain in gains)
    return f"{mean.value:+.3f} [{mean.low:.3f}, {mean.high:.3f}], higher in {higher} of {len(gains)} tasks."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for side in ("before", "after", "misled"):
        parser.add_argument(side, type=Path)
    given = parser.parse_args()
    print(table(lines(given.before, given.after, given.misled)))
