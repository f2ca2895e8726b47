"""What the rows of a file must hold: an id of their own, texts that are texts, scores that are numbers."""

from __future__ import annotations

import ast
import json
import math
from typing import Any

from afters.sides.faults import Faults
from afters.sides.table import Row, Table


def ids_of(table: Table, column: str) -> list[str]:
    """Return each row's id; a missing, empty or second one is a fault, and the row's place stands for it."""
    first: dict[str, int] = {}
    found = []
    for number, row in table.rows:
        name = _id(row.get(column), number, column, table.faults)
        if name and name in first:
            hint = "One row for each id; of several answers to a question, give one."
            received = f"'{name}', which row {first[name]} has too"
            table.faults.add(
                "an id stands twice", row=number, expected="ids of their own", received=received, hint=hint
            )
        first.setdefault(name, number)
        found.append(name or f"row {number}")
    return found


def text_of(row: Row, column: str, number: int, faults: Faults) -> str:
    """Return a cell that must hold text, empty or not."""
    value = row.get(column)
    if not isinstance(value, str):
        hint = 'An empty answer is written "" and is scored as one.' if column == "prediction" else ""
        faults.add(f"the {column} is not text", row=number, expected="text", received=shown(value), hint=hint)
        return ""
    return value


def references_of(row: Row, columns: list[str], number: int, faults: Faults) -> tuple[str, ...]:
    """Return a row's references: of a list, of one text, or of several columns of which some may be empty."""
    given = [one for column in columns for one in _listed(row.get(column))]
    wrong = [one for one in given if not isinstance(one, str) and one is not None]
    texts = tuple(one for one in given if isinstance(one, str) and one.strip())
    if wrong:
        expected = "text, or a list of texts"
        faults.add("a reference is not text", row=number, expected=expected, received=shown(wrong[0]))
    elif not texts:
        faults.add("no reference", row=number, expected="one that says something", received=shown(given))
    return texts


def number_of(row: Row, column: str, number: int, faults: Faults) -> float:
    """Return a cell that must hold a number."""
    value = row.get(column)
    try:
        if isinstance(value, bool | int | float | str):
            made = float(value)
            if math.isfinite(made):
                return made
    except ValueError:
        pass
    hint = "Leave out, in both files, the rows that could not be scored."
    received = "nothing, or NaN" if value is None else shown(value)
    faults.add(f"'{column}' is not a number", row=number, expected="a finite number", received=received, hint=hint)
    return 0.0


def cluster_of(row: Row) -> str:
    """Return the cluster that a row names, empty where it names none."""
    given = row.get("cluster")
    return str(given) if given is not None and str(given).strip() else ""


def shown(value: Any) -> str:
    """Return a value as JSON writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"


def _id(value: Any, number: int, column: str, faults: Faults) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, str) and value.strip():
        return value.strip()
    what = "an empty id" if isinstance(value, str) else "no id"
    expected = f"text or a whole number under '{column}'"
    faults.add(what, row=number, expected=expected, received=shown(value) if value is not None else "nothing")
    return ""


def _listed(value: Any) -> list[Any]:
    """Return a cell as a list; CSV can only hold a list as text: JSON's, or Python's, which pandas writes."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            made = json.loads(value)
        except ValueError:
            made = _of_python(value.strip())
        return made if isinstance(made, list) and all(isinstance(one, str) for one in made) else [value]
    return list(value) if isinstance(value, list) else [value]


def _of_python(text: str) -> Any:
    """Return what Python's own way of writing says; nothing where it would be written otherwise, as numpy's arrays."""
    try:
        made = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return made if str(made) == text else None
