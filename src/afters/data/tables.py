"""Rows given from Python: `table:NAME` in a study stands for a data frame, an Arrow table or a list of dicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from afters.data.columns import to_table
from afters.errors import DataError, unknown

Tables = Mapping[str, object]
"""What the names of a study stand for."""

PREFIX = "table:"

KINDS = "a pandas or polars DataFrame, a pyarrow Table, or a list of dicts"


def from_python(name: str, tables: Tables) -> pa.Table:
    """Return the rows that were given under a name.

    Raises:
        DataError: nothing was, or something else than rows.
    """
    asked = name.removeprefix(PREFIX)
    if asked not in tables:
        hint = f"Give it from Python: afters.run(study, out=…, tables={{{asked!r}: frame}})."
        raise DataError(unknown("table", asked, tables), where=name, hint=hint)
    given = tables[asked]
    try:
        # pyarrow takes pandas' own, and what speaks Arrow's protocol for streams: polars, DuckDB, Arrow itself.
        return to_table(_checked(given, name)) if isinstance(given, Sequence) else pa.table(given)
    except (TypeError, ValueError, pa.ArrowException) as error:
        received = f"{type(given).__name__}: {error}"
        raise DataError("these are no rows", where=name, expected=KINDS, received=received) from None


def _checked(rows: Iterable[Any], name: str) -> Iterator[Mapping[str, Any]]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, Mapping) or not all(isinstance(column, str) for column in row):
            expected = "a dict from column to value"
            raise DataError("this is no row", where=f"{name}:{number}", expected=expected, received=repr(row)[:80])
        yield row
