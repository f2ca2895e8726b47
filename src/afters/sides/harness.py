"""The samples that lm-evaluation-harness logs: `samples_TASK_TIME.jsonl`, a row for each question and filter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from afters.data.split import digest
from afters.errors import DataError
from afters.records import Case, Example, Prediction, Result
from afters.sides.rows import ids_of, number_of
from afters.sides.side import UNNAMED, Declared, Options
from afters.sides.table import Row, Table, read_table

SCHEMA: Final = frozenset(
    {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"}
    | {"doc_hash", "prompt_hash", "target_hash"}
)
"""The keys of a row that are no scores (lm_eval 0.4)."""

FILE_NAME: Final = re.compile(r"samples_(?P<task>.+?)(_\d{4}-\d{2}-\d{2}T.*)?\.jsonl(\.gz)?")


def is_samples(table: Table) -> bool:
    """Return whether a file's rows are lm-eval's."""
    return {"doc_id", "filtered_resps"} <= set(table.columns) or {"doc_id", "doc_hash"} <= set(table.columns)


def sample_files(folder: Path) -> list[Path]:
    """Return the samples that lie in a folder, or below it, by the names of their tasks."""
    return sorted(path for path in folder.rglob("samples_*.jsonl*") if FILE_NAME.fullmatch(path.name))


class HarnessSamples:
    """One model's logged samples, of one task or of several; one file for each."""

    def __init__(self, name: str, tables: Mapping[str, Table]) -> None:
        self.name = name
        self.tasks = tuple(tables)
        self._tables = {task: _Samples(table) for task, table in tables.items()}

    def offers(self, task: str) -> tuple[str, ...]:
        """Return the one score that is logged; of several none decides by itself."""
        logged = self._tables[task].scores
        return logged if len(logged) == 1 else ()

    def columns(self, task: str) -> tuple[str, ...]:
        """Return the scores that are logged as a number for each question."""
        return self._tables[task].scores

    def declared(self, task: str) -> Declared | None:
        """Return None: the log says nothing of what was to decide."""
        return None

    def options(self, task: str) -> Options | None:
        """Return None: answers are scored as what they are compared with."""
        return None

    def result(self, task: str, *, scores: Sequence[str]) -> Result:
        """Return the questions as Cases, and the logged numbers that are among `scores`."""
        return self._tables[task].result(self.name, task, scores=scores)


def open_samples(files: Sequence[Path], *, name: str) -> HarnessSamples:
    """Read files of samples, one for each task.

    Raises:
        DataError: two files of one task, or a file that cannot be read.
    """
    tables: dict[str, Table] = {}
    for path in files:
        task = task_of(path)
        if task in tables:
            expected, hint = "one file for each task", "Name the file itself, instead of the folder."
            received = " and ".join(one.name for one in files if task_of(one) == task)
            raise DataError(f"several samples of {task}", where=name, expected=expected, received=received, hint=hint)
        tables[task] = read_table(path)
    return HarnessSamples(name, tables)


def task_of(path: Path) -> str:
    """Return the task that a file's name tells.

    >>> task_of(Path("samples_mmlu_anatomy_2026-01-31T10-20-30.123456.jsonl"))
    'mmlu_anatomy'
    """
    found = FILE_NAME.fullmatch(path.name)
    return found["task"] if found else UNNAMED


class _Samples:
    """One file: its rows by filter, and the scores that are numbers.

    A filter takes the answer out of what was generated; where there are several, each has a row for every question,
    and its scores are called as lm-eval's results call them, "exact_match,strict-match".
    """

    def __init__(self, table: Table) -> None:
        filters = list(dict.fromkeys(str(row.get("filter", "none")) for _, row in table.rows))
        self._faults = table.faults
        self._by_filter = {
            one: Table([pair for pair in table.rows if str(pair[1].get("filter", "none")) == one], table.faults)
            for one in filters
        }
        self._places = {
            (score if len(filters) == 1 else f"{score},{one}"): (one, score)
            for one, part in self._by_filter.items()
            for score in _numeric(part)
        }
        self.scores = tuple(self._places)

    def result(self, name: str, task: str, *, scores: Sequence[str]) -> Result:
        given = [score for score in scores if score in self._places]
        ids = {one: ids_of(part, "doc_id") for one, part in self._by_filter.items()}
        first = next(iter(self._by_filter))
        rows = {}
        for score in given:
            one, column = self._places[score]
            values = [number_of(row, column, number, self._faults) for number, row in self._by_filter[one].rows]
            by_id = dict(zip(ids[one], values, strict=True))
            rows[score] = tuple((by_id[case], 1.0) if case in by_id else None for case in ids[first])
        pairs = zip(ids[first], self._by_filter[first].rows, strict=True)
        cases = tuple(_case(case, task, f"{self._faults.file}:{number}", row) for case, (number, row) in pairs)
        Table([], self._faults).settle()
        return Result(name, task, _identity(cases), cases, rows, ())


def _numeric(part: Table) -> list[str]:
    """Return the scores that some row holds as a number; corpus scores are logged as lists, and can't be read."""
    named = [name for name in part.columns if name not in SCHEMA]
    return [name for name in named if any(isinstance(row.get(name), int | float) for _, row in part.rows)]


def _case(name: str, task: str, source: str, row: Row) -> Case:
    content = str(row.get("doc_hash") or (digest(json.dumps(row["doc"], sort_keys=True)) if "doc" in row else ""))
    target = row.get("target")
    references = (target,) if isinstance(target, str) and target else ()
    example = Example(name, task, source, content, "", "", references)
    prediction = Prediction(name, _answer(row.get("filtered_resps")), prompt_hash=str(row.get("prompt_hash") or ""))
    return Case(name, content, (example,), (prediction,))


def _answer(filtered: Any) -> tuple[str, ...]:
    """Return the answer where one was generated; log-likelihoods of choices are none."""
    first = filtered[0] if isinstance(filtered, list) and filtered else filtered
    return (first,) if isinstance(first, str) else ()


def _identity(cases: Sequence[Case]) -> dict[str, str]:
    """Return what the log lets one check: the documents, and the prompts, in which the shots stand."""
    known = {}
    if all(case.examples[0].content for case in cases):
        known["dataset"] = "the logged documents"
    if all(case.predictions[0].prompt_hash for case in cases):
        known["shots"] = "in the logged prompts"
    return known
