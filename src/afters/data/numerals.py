"""How numbers are written: alike in all files of a task, so that a row that stands in two of them is one row."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import pyarrow as pa
from pyarrow import compute

EXACT = 2**53
"""The whole numbers up to here are all fractions too; beyond, only some."""


class Alike(NamedTuple):
    """A column as each file has it, with its numbers written alike."""

    columns: tuple[pa.ChunkedArray[Any], ...]
    written: Literal["whole numbers", "fractions", "text"] | None = None
    """What the numbers were made; None where there was nothing to do."""


def alike(columns: Sequence[pa.ChunkedArray[Any]]) -> Alike:
    """Return the columns, one of each file, so that whole numbers in one and fractions in another read the same.

    Where every value is whole they become whole numbers, as people write them: it is pandas that makes fractions of
    them where one is missing. Otherwise they become fractions, as they would in one file; or text, where a whole number
    has more digits than a fraction keeps. Columns of anything else stay as they are, and so do columns that all hold
    numbers of one kind.
    """
    whole = [column for column in columns if pa.types.is_integer(column.type)]
    read = tuple(_as_fractions(column) for column in columns) if whole else ()
    fractions = [column for column in read if _has_fractions(column)]
    if not fractions:
        return Alike(tuple(columns))
    if all(_only_whole(column) for column in fractions):
        # Whole numbers of any width come to the same words, so they stay as they are.
        cast = (column.cast(pa.int64()) if _has_fractions(column) else column for column in read)
        return Alike(tuple(cast), "whole numbers")
    if all(_is_exact(column) for column in whole):
        return Alike(tuple(column.cast(pa.float64()) if _is_number(column) else column for column in read), "fractions")
    return Alike(tuple(_as_text(column) if _is_number(column) else column for column in read), "text")


def _is_number(column: pa.ChunkedArray[Any]) -> bool:
    return bool(pa.types.is_integer(column.type) or pa.types.is_floating(column.type))


def _has_fractions(column: pa.ChunkedArray[Any]) -> bool:
    return bool(pa.types.is_floating(column.type) and column.null_count < len(column))


def _as_fractions(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Return fractions of any width in the usual one, and text as fractions where it is the same written as such.

    A CSV holds text only; read as fractions, `3.0` is not told from the 3 of another file.
    """
    if pa.types.is_floating(column.type):
        return column.cast(pa.float64())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    texts = column.to_pylist()
    if not any(texts) or not all(_is_fraction(text) for text in texts if text):
        return column
    return pa.chunked_array([pa.array([float(text) if text else None for text in texts], pa.float64())])


def _is_fraction(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+\.[0-9]+", text) is not None and str(float(text)) == text


def _only_whole(column: pa.ChunkedArray[Any]) -> bool:
    """Tell whether every number is whole, and none too big for an integer."""
    fits = compute.less(compute.abs(column), pa.scalar(2.0**63))
    return compute.all(compute.and_(fits, compute.equal(compute.floor(column), column))).as_py() is not False


def _is_exact(column: pa.ChunkedArray[Any]) -> bool:
    """Tell whether every whole number stays what it is when it becomes a fraction."""
    ends = compute.min_max(column).as_py().values()
    return all(end is None or abs(end) <= EXACT for end in ends)


def _as_text(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    return pa.chunked_array([pa.array([_text(number) for number in column.to_pylist()], pa.string())])


def _text(number: int | float | None) -> str | None:
    if number is None:
        return None
    return str(int(number)) if isinstance(number, int) or number.is_integer() else str(number)
