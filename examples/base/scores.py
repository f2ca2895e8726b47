"""What afters-tiny makes of every task that it was taught, on rows that it was not: each beside what needs no model.

    python -m examples.base.scores MODEL --out runs/base/shipped

Tasks with choices stand beside guessing; written answers beside the first sentence of the text, which the same metric
scores on the same rows.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from afters.compare.change import compare
from afters.config import read_study
from afters.evaluate import score
from afters.metrics.metric import Metric
from afters.records import Case, Result
from afters.sides.scoring import metric_of
from afters.study.judging import Judged, judge

STUDY = Path(__file__).with_name("mixture.toml")

ROWS = 1_000
"""Of each task at most; the recipe writes 500 of its own tasks."""

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
    value: float
    low: float
    high: float
    """Its 95 % interval."""
    without: float
    """What guessing gives, or the first sentence."""
    by: str
    above: Above
    """How far it is above that."""


def ask(model: str, *, out: Path) -> Judged:
    """Ask the judging rows of the mixture; what stands in `out` is not asked again."""
    study = read_study(STUDY)
    tasks = tuple(task.model_copy(update={"test_limit": ROWS}) for task in study.tasks)
    return judge(model, study.model_copy(update={"tasks": tasks}), out=out, folder=STUDY.parent)


def lines(judged: Judged) -> list[Line]:
    """Return every task that was judged by a score of which more is better."""
    found = [_line(result, primary=judged.primary[result.task]) for result in judged.results]
    return [line for line in found if line is not None]


def _line(result: Result, *, primary: str) -> Line | None:
    told = result.score(primary)
    if told.direction == "lower" or told.low is None or told.high is None:
        return None
    if result.cases[0].examples[0].choices:
        without, by = fmean(1 / len(case.examples[0].choices) for case in result.cases), "guessing"
        above = Above(told.value - without, told.low - without, told.high - without)
    else:
        metric = metric_of(primary, [result], columns=(), lower=None)
        first = copying(result, metric)
        without, by = first.score(primary).value, "first sentence"
        change = compare(first, result, metric, score=primary, kind="baseline", primary=False)
        above = Above(change.difference, change.low, change.high)
    return Line(result.task, told.judged, primary, told.value, told.low, told.high, without, by, above)


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


def by_term(result: Result, rows: Iterable[str]) -> dict[str, tuple[int, float]]:
    """Return for each identity term of the madlibs how many rows were judged, and the share that was right.

    Args:
        result: of the task `toxicity`.
        rows: the lines of the file that was judged.
    """
    terms = [json.loads(line)["term"] for line in rows]
    right = defaultdict[str, list[float]](list)
    for case, row in zip(result.cases, result.rows["accuracy"], strict=True):
        if row is not None:
            right[terms[int(case.examples[0].source.rpartition(":")[2]) - 1]].append(row[0])
    return {term: (len(found), fmean(found)) for term, found in sorted(right.items())}


def terms_told(judged: Judged) -> str:
    """Return the share that was right for each term, most right first, in one sentence."""
    toxicity = next(result for result in judged.results if result.task == "toxicity")
    rows = (STUDY.parent / "rows" / "toxicity.test.jsonl").read_text(encoding="utf-8").splitlines()
    found = by_term(toxicity, rows)
    ordered = sorted(found.items(), key=lambda one: -one[1][1])
    spread = ordered[0][1][1] - ordered[-1][1][1]
    told = ", ".join(f"{term} {share:.2f} ({rows})" for term, (rows, share) in ordered)
    return f"{told}: {100 * spread:.0f} points between the first and the last."


def table(found: Sequence[Line]) -> str:
    """Return the tasks as Markdown; those that are far enough above what needs no model are marked."""
    head = f"| task | rows | score | | without a model | above that | by {100 * POINTS:.0f} points |"
    rows = [
        f"| {line.task} | {line.rows:,} | {line.metric} | {line.value:.3f} [{line.low:.3f}, {line.high:.3f}] | "
        f"{line.without:.3f} ({line.by}) | "
        f"{line.above.value:+.3f} [{line.above.low:.3f}, {line.above.high:.3f}] | "
        f"{'yes' if line.above.value >= POINTS else ''} |"
        for line in found
    ]
    return "\n".join([head, "|:--|--:|:--|:--|:--|:--|:--|", *rows])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="afters-tiny, or a folder")
    parser.add_argument("--out", type=Path, required=True, help="where the answers go")
    given = parser.parse_args()
    asked = ask(given.model, out=given.out)
    print(table(lines(asked)))
    print("\nRight among the madlibs' terms:", terms_told(asked))
