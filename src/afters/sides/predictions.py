"""A prediction file: JSON lines or CSV with `id`, `prediction`, `references`, and what else is known of each row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from afters.data.split import digest, normalised
from afters.errors import DataError, nearest
from afters.records import Case, Example, Prediction, Result
from afters.sides.rows import cluster_of, ids_of, number_of, references_of, text_of
from afters.sides.side import UNNAMED, Declared, Options
from afters.sides.table import Table

KNOWN = frozenset({"id", "prediction", "references", "reference", "cluster", "prompt"})
"""The columns that mean something by their name; any other may be asked for as a score."""


class PredictionFile:
    """One model's answers in a file: columns `id` and `prediction`; `references`, a list or one text, or `reference`.

    `reference1`, `reference2` … are several references. `cluster` says which rows belong together; rows without it
    that have the same `prompt` do. Any other column may hold a number for each row and be asked for by its name.
    """

    tasks: tuple[str, ...] = (UNNAMED,)

    def __init__(self, name: str, table: Table) -> None:
        self.name = name
        self._table = table
        self._references = _reference_columns(table.columns)

    def offers(self, task: str) -> tuple[str, ...]:
        """Return nothing: a file of answers says nothing of what decides."""
        return ()

    def columns(self, task: str) -> tuple[str, ...]:
        """Return the columns that mean nothing by their name."""
        return tuple(name for name in self._table.columns if name not in {*KNOWN, *self._references})

    def declared(self, task: str) -> Declared | None:
        """Return None: a file declares nothing."""
        return None

    def options(self, task: str) -> Options | None:
        """Return None: a file is scored as what it is compared with."""
        return None

    def result(self, task: str, *, scores: Sequence[str]) -> Result:
        """Return the answers as Cases, and the numbers of the columns that are among `scores`.

        Raises:
            InputError: rows without an id of their own, texts that are no texts, scores that are no numbers; all
                that is wrong with the file is told together.
        """
        table, given = self._table, [name for name in scores if name in self.columns(task)]
        self._require("id")
        if len(given) < len(scores):
            self._require("prediction")
        names = ids_of(table, "id")
        pairs = list(zip(names, table.rows, strict=True))
        cases = tuple(self._case(name, number) for name, number in zip(names, range(len(pairs)), strict=True))
        rows = {
            column: tuple((number_of(row, column, number, table.faults), 1.0) for number, row in table.rows)
            for column in given
        }
        table.settle()
        identity = {"dataset": "the file's own references"} if self._references else {}
        return Result(self.name, task, identity, cases, rows, ())

    def _case(self, name: str, place: int) -> Case:
        number, row = self._table.rows[place]
        faults = self._table.faults
        references = references_of(row, self._references, number, faults) if self._references else ()
        answers = (text_of(row, "prediction", number, faults),) if "prediction" in self._table.columns else ()
        prompt = row.get("prompt")
        asked = prompt if isinstance(prompt, str) else ""
        content, named = normalised(asked), cluster_of(row)
        source = f"{faults.file}:{number}"
        example = Example(name, UNNAMED, source, content, "", asked, references, cluster=named)
        made = Prediction(name, answers, prompt_hash=digest(asked) if asked else "")
        return Case(name, named or (digest(content) if content else ""), (example,), (made,))

    def _require(self, column: str) -> None:
        columns = self._table.columns
        if column not in columns:
            guess = nearest(column, columns)
            problem = DataError(
                f"no column '{column}'",
                where=self._table.faults.file,
                expected="the columns id, prediction and references",
                received=f"the columns {', '.join(columns)}",
                hint=f"Is it '{guess}'? Then rename it to '{column}'." if guess else None,
            )
            self._table.faults.others.append(problem)
            self._table.settle()


def _reference_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns of references, numbered ones in their order."""
    numbered = [name for name in columns if re.fullmatch(r"references?_?\d+", name)]
    plain = [name for name in ("references", "reference") if name in columns]
    return [*plain, *sorted(numbered, key=lambda name: int(re.sub(r"\D", "", name)))]
