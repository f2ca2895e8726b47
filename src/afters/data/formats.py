"""The text of a file becomes records: JSON lines, a JSON list, CSV. A broken record is told, not raised."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from typing import IO, Any

from afters.data import natural_instructions
from afters.data.columns import halved
from afters.errors import DataError

Record = tuple[int, Mapping[str, Any] | DataError]
"""A row's number in its file, and the row or what is wrong with it."""

DELIMITERS = ",;\t"
"""What may stand between the fields of a CSV file; the one that the header has most of is taken."""

LONGEST_FIELD = 2**31 - 1
"""The csv module's own limit of 131,072 characters is less than a long chat; this is what it can hold anywhere."""


# JSON lines: one object a line.


def json_lines(lines: Iterable[bytes], file: str) -> Iterator[Record]:
    """Yield the object of each line that is not blank."""
    for number, line in enumerate(lines, 1):
        if number == 1:
            _refuse_utf16(line, file)
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            yield number, _not_utf8(f"{file}:{number}:{error.start + 1}", error)
            continue
        if text.strip():
            yield number, _object(text, file, number)


def _object(text: str, file: str, number: int) -> Mapping[str, Any] | DataError:
    try:
        value = _json(text)
    except (ValueError, RecursionError) as error:  # beside broken text, a number or a nesting beyond Python's limits
        where = f"{file}:{number}:{getattr(error, 'colno', 1)}"
        received = getattr(error, "msg", str(error))
        return DataError("broken JSON", where=where, expected="one whole JSON object in the line", received=received)
    return _row(value, where=f"{file}:{number}")


def _json(text: str) -> Any:
    """Parse JSON; NaN, which pandas writes for a missing value, is null."""
    return json.loads(text, parse_constant=lambda name: None if name == "NaN" else float(name))


def _row(value: object, *, where: str) -> Mapping[str, Any] | DataError:
    if not isinstance(value, dict) or not value:
        received = "an empty object" if value == {} else type(value).__name__
        return DataError("not a JSON object", where=where, expected='{"column": value, …}', received=received)
    return halved(value, where=where) or value


# JSON: a list of objects.


def json_list(stream: IO[bytes], file: str) -> Iterator[Record]:
    """Yield the objects of a list, or of the list under the key "data"; or the instances of a task that is one file.

    Raises:
        DataError: the file as a whole is no such list.
    """
    raw = stream.read()
    _refuse_utf16(raw, file)
    try:
        value = _json(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line, column = raw.count(b"\n", 0, error.start) + 1, error.start - raw.rfind(b"\n", 0, error.start)
        raise _not_utf8(f"{file}:{line}:{column}", error) from None
    except (ValueError, RecursionError) as error:
        if getattr(error, "msg", "") == "Extra data":  # many a `.json` holds JSON lines
            return json_lines(raw.splitlines(keepends=True), file)
        where = f"{file}:{getattr(error, 'lineno', 1)}:{getattr(error, 'colno', 1)}"
        received = getattr(error, "msg", str(error))
        raise DataError("broken JSON", where=where, expected="a list of objects", received=received) from None
    return _items(value, file)


def _items(value: Any, file: str) -> Iterator[Record]:
    if natural_instructions.is_task(value):
        yield from natural_instructions.rows(value, file)
        return
    items = value.get("data") if isinstance(value, dict) else value
    if not isinstance(items, list):
        received = f"an object with the keys {', '.join(value)}" if isinstance(value, dict) else type(value).__name__
        expected = 'a list of objects, or {"data": [a list of objects]}'
        raise DataError("no list of rows", where=file, expected=expected, received=received)
    for number, item in enumerate(items, 1):
        yield number, _row(item, where=f"{file}:{number}")


# CSV: a header, then as many fields in each row.


def csv_rows(stream: IO[bytes], file: str) -> Iterator[Record]:
    """Yield each row under the header as columns of text.

    Raises:
        DataError: the header names no columns, or a quote is never closed, which hides the rows after it.
    """
    # Broken bytes are carried as surrogates, so that they spoil their own row and not the file.
    with TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        yield from _under_header(text, file)


def _under_header(text: TextIOWrapper, file: str) -> Iterator[Record]:
    first = text.readline()
    _refuse_utf16(first.encode(errors="surrogateescape"), file)
    delimiter = max(DELIMITERS, key=first.count)
    text.seek(0)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    header = _header(reader, file)
    number = 1
    while True:
        number, start = number + 1, reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, _broken_quotes(error, f"{file}:{number}", start=start, end=reader.line_num)
            continue
        if fields:
            yield number, _fields(fields, header, f"{file}:{number}", lines=reader.line_num - start + 1)


def _header(reader: Iterator[list[str]], file: str) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise DataError(
            "broken header", where=f"{file}:1", expected="the columns' names", received=str(error)
        ) from None
    if not any(header):
        raise DataError("broken header", where=f"{file}:1", expected="the columns' names", received="no name")
    refuse_twice(header, file)
    return header


def _broken_quotes(error: csv.Error, where: str, *, start: int, end: int) -> DataError:
    """Tell a row whose quotes are wrong; a quote that never closes hides all rows after it: that ends the reading."""
    expected = 'a quote inside a quoted field written twice: ""'
    if "unexpected end" in str(error):
        received = f"a quote opened at line {start} and not closed by the end of the file"
        raise DataError("broken quoting", where=where, expected=expected, received=received) from error
    received = f"{error}, in lines {start} to {end}"
    return DataError("broken quoting", where=where, expected=expected, received=received)


def _fields(fields: list[str], header: list[str], where: str, *, lines: int) -> Mapping[str, Any] | DataError:
    if len(fields) != len(header):
        received = f"{len(fields)} fields" + (f" over {lines} lines" if lines > 1 else "")
        hint = "A field that holds the delimiter or a new line stands in double quotes."
        expected = f"{len(header)} fields, as the header has"
        return DataError("wrong number of fields", where=where, expected=expected, received=received, hint=hint)
    for name, value in zip(header, fields, strict=True):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            broken = error.object[error.start].encode(errors="surrogateescape")
            return _bad_bytes(f"{where}:{name}", broken)
    return dict(zip(header, fields, strict=True))


def refuse_twice(names: Sequence[str], file: str) -> None:
    """Raise DataError when two columns have one name."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        expected = "a name of its own for each column"
        raise DataError("two columns of one name", where=f"{file}:1", expected=expected, received=f"'{twice}' twice")


# Text that is not UTF-8.


def _refuse_utf16(start: bytes, file: str) -> None:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        hint = "Save it as UTF-8; spreadsheets call that 'CSV UTF-8'."
        raise DataError("not UTF-8", where=f"{file}:1", expected="UTF-8", received="UTF-16", hint=hint)


def _not_utf8(where: str, error: UnicodeDecodeError) -> DataError:
    return _bad_bytes(where, error.object[error.start : error.start + 1])


def _bad_bytes(where: str, broken: bytes) -> DataError:
    hint = "Save the file as UTF-8; it may be Latin-1 or Windows-1252."
    return DataError("not UTF-8", where=where, expected="UTF-8", received=f"the byte 0x{broken.hex()}", hint=hint)
