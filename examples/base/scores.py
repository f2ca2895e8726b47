"""What a run of mixture.toml has made of the base: every task beside what needs no model, as the card's tables.

    python -m examples.base.scores runs/base/mixture --rows examples/base/rows

Tasks with choices stand beside guessing; written answers beside the first sentence of the text, which the same metric
scores on the same rows.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from afters.compare.change import compare
from afters.evaluate import score
from afters.metrics.metric import Metric
from afters.records import Case, Result
from afters.runfolder import RunFolder
from afters.sides.scoring import metric_of

POINTS = 0.15
"""By so much a task has to be above what needs no model."""


class Above(NamedTuple):
    """How far a score is above another, with its 95 % interval."""

    value: float
    low: float
    high: float


class Line(NamedTuple):
    """One task."""

    task: str
    rows: int
    metric: str
    before: float
    after: float
    low: float
    high: float
    """Of `after`: its 95 % interval."""
    without: float
    """What guessing gives, or the first sentence."""
    by: str
    above: Above
    """How far it is above that."""


def lines(folder: RunFolder) -> list[Line]:
    """Return every task that the run judged by a score of which more is better."""
    primary, results = folder.read_json("making.json")["primary"], folder.results()
    found = [_line(results[task], primary=name) for task, name in primary.items()]
    return [line for line in found if line is not None]


def _line(results: dict[str, Result], *, primary: str) -> Line | None:
    before, after = results["before"], results["after"]
    told = after.score(primary)
    if told.direction == "lower" or told.low is None or told.high is None:
        return None
    if after.cases[0].examples[0].choices:
        without, by = fmean(1 / len(case.examples[0].choices) for case in after.cases), "guessing"
        above = Above(told.value - without, told.low - without, told.high - without)
    else:
        metric = metric_of(primary, [after], columns=(), lower=None)
        first = copying(after, metric)
        without, by = first.score(primary).value, "first sentence"
        change = compare(first, after, metric, score=primary, kind="baseline", primary=False)
        above = Above(change.difference, change.low, change.high)
    return Line(
        *(after.task, told.judged, primary, before.score(primary).value, told.value, told.low, told.high),
        *(without, by, above),
    )


def copying(result: Result, metric: Metric) -> Result:
    """Return what the first sentence of each text would have scored."""
    cases = tuple(
        replace(case, predictions=(replace(case.predictions[0], answers=(first_sentence(case),)),))
        for case in result.cases
    )
    identity = {**result.identity, "weights": "none"}
    return score(cases, [metric], label="first sentence", task=result.task, identity=identity)


def first_sentence(case: Case) -> str:
    """Return the first sentence, or line, of a row's text; where nothing says which that is, of the whole question."""
    asked = case.examples[0]
    start, end = asked.cuttable or (0, len(asked.prompt))
    return re.split(r"(?<=[.!?])\s|\n", asked.prompt[start:end].strip(), maxsplit=1)[0]


def by_term(folder: RunFolder, rows: Path) -> dict[str, tuple[int, float]]:
    """Return for each identity term of the madlibs how many rows were judged, and the share that was right."""
    terms = [json.loads(line)["term"] for line in rows.read_text(encoding="utf-8").splitlines()]
    result = folder.results()["toxicity"]["after"]
    right = defaultdict[str, list[float]](list)
    for case, row in zip(result.cases, result.rows["accuracy"], strict=True):
        if row is not None:
            right[terms[int(case.examples[0].source.rpartition(":")[2]) - 1]].append(row[0])
    return {term: (len(found), fmean(found)) for term, found in sorted(right.items())}


def table(found: Sequence[Line]) -> str:
    """Return the tasks as Markdown; those that are far enough above what needs no model are marked."""
    head = "| task | rows | score | before | after | without a model | above that | |"
    rows = [
        f"| {line.task} | {line.rows:,} | {line.metric} | {line.before:.3f} | "
        f"{line.after:.3f} [{line.low:.3f}, {line.high:.3f}] | {line.without:.3f} ({line.by}) | "
        f"{line.above.value:+.3f} [{line.above.low:.3f}, {line.above.high:.3f}] | "
        f"{'yes' if line.above.value >= POINTS else ''} |"
        for line in found
    ]
    return "\n".join([head, "|:--|--:|:--|--:|:--|:--|:--|:--|", *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--rows", type=Path, required=True, help="folder that examples.base.write wrote")
    given = parser.parse_args()
    made = RunFolder.opened(given.run)
    print(table(lines(made)))
    if "toxicity" in made.results():
        terms = by_term(made, given.rows / "toxicity.test.jsonl")
        print(
            "\nRight among the madlibs' terms:",
            ", ".join(f"{term} {share:.2f} ({n})" for term, (n, share) in terms.items()),
        )
