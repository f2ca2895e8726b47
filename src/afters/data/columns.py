"""Rows of plain values become an Arrow table, one type for each column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa
from pyarrow import compute

from afters.errors import DataError

BATCH = 10_000
"""Rows that are held as Python values at a time; the rest is Arrow, a tenth of the size."""


def to_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Return the rows as a table; a column that a row lacks is null there.

    A column of one type keeps it; whole numbers beside fractions become fractions; a column of several types, text.
    """
    tables = [_batch(batch) for batch in _batches(rows)]
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    return pa.table({name: _joined(name, tables) for name in names})


def without_nan(table: pa.Table) -> pa.Table:
    """Return the table with null for NaN, which is how pandas writes a number that is missing."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table[place]
            known = compute.if_else(compute.is_nan(column), pa.scalar(None, field.type), column)
            table = table.set_column(place, field, known)
    return table


def without_nanoseconds(table: pa.Table) -> pa.Table:
    """Return the table with text for times that Python cannot hold: it counts microseconds."""
    for place, field in enumerate(table.schema):
        if getattr(field.type, "unit", None) == "ns" and not _whole_microseconds(table[place]):
            table = table.set_column(place, field.name, table[place].cast(pa.string()))
    return table


def _whole_microseconds(column: pa.ChunkedArray[Any]) -> bool:
    counts = column.cast(pa.int64())
    thousands = compute.multiply(compute.divide(counts, 1_000), 1_000)
    return compute.all(compute.equal(counts, thousands)).as_py() is not False


def without_views(table: pa.Table) -> pa.Table:
    """Return the table with its text in the usual layout: of the newer one, polars', Arrow cannot take rows."""
    return table.cast(pa.schema([pa.field(field.name, _without_views(field.type)) for field in table.schema]))


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return (pa.list_ if pa.types.is_list(kind) else pa.large_list)(_without_views(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _without_views(field.type)) for field in kind.fields])
    return kind


def halved(value: object, *, where: str | None = None) -> DataError | None:
    r"""Return what is wrong with a JSON value that has half a character: JSON can write one, Unicode and Arrow cannot.

    >>> halved(["\ud83d"]).received
    'half a character: surrogates not allowed'
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        return DataError("not Unicode", where=where, expected="text", received=f"half a character: {error.reason}")
    return None


def as_text(value: object) -> str:
    """Return the value as a template would write it: nothing for null, JSON for lists and objects."""
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)


def rows_of(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield the table's rows as dicts, a batch of them in memory at a time."""
    for batch in table.to_batches(max_chunksize=1_000):
        yield from batch.to_pylist()


def _batches(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _batch(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _array([row.get(name) for row in rows]) for name in names})


def _array(values: list[Any]) -> pa.Array[Any]:
    try:
        array: pa.Array[Any] = pa.array(values, from_pandas=True)  # which writes NaN for what is missing
    except (pa.ArrowException, OverflowError):
        return _text(values)
    return array


def _joined(name: str, tables: Sequence[pa.Table]) -> pa.ChunkedArray[Any]:
    parts = [
        table[name] if name in table.column_names else pa.chunked_array([pa.nulls(len(table))]) for table in tables
    ]
    try:
        whole = pa.concat_tables([pa.table({name: part}) for part in parts], promote_options="permissive")
        return whole[name]
    except pa.ArrowException:
        return pa.chunked_array([_text(part.to_pylist()) for part in parts])


def _text(values: list[Any]) -> pa.Array[Any]:
    return pa.array([None if value is None or value != value else as_text(value) for value in values], pa.string())
