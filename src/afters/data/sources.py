"""Rows from a file, a saved folder, a hub, a query or Python, each with its number where it is from."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from afters.data import demo, natural_instructions
from afters.data.arrow import SPLITS, from_ipc, from_saved, is_saved
from afters.data.columns import to_table, without_nan, without_nanoseconds, without_views
from afters.data.formats import Record, csv_rows, json_lines, json_list, refuse_twice
from afters.data.hub import from_hub
from afters.data.query import from_query, label
from afters.data.tables import Tables, from_python
from afters.errors import DataError, nearest
from afters.records import SetAside


@dataclass(frozen=True, slots=True)
class Rows:
    """The usable rows of one file, or of what stands for one."""

    table: pa.Table
    file: str
    """The file's name, or what else names the rows, as messages show it."""
    numbers: NDArray[np.int64]
    """For each row of `table` its row in the file, counted from 1 as an editor or a spreadsheet shows it: a CSV's
    header is row 1; JSON lines are counted as lines; whatever else as it comes, from the first."""
    set_aside: tuple[SetAside, ...] = ()

    @property
    def official(self) -> str | None:
        """The column that says which rows their publisher judges by, where the file has its own sides."""
        names = tuple(self.table.column_names)
        known = names == natural_instructions.COLUMNS and self.table[natural_instructions.SPLIT].null_count == 0
        return natural_instructions.SPLIT if known else None

    def take(self, positions: Sequence[int]) -> Rows:
        """Return only the rows at these positions; what was set aside stays behind."""
        chosen = np.asarray(positions, np.int64)
        return Rows(self.table.take(chosen), self.file, self.numbers[chosen])

    def only(self, columns: Iterable[str]) -> Rows:
        """Return the rows without their other columns."""
        there = [name for name in self.table.column_names if name in set(columns)]
        return replace(self, table=self.table.select(there)) if there else self

    def source(self, index: int) -> str:
        """Return where a row is from, as `support.csv:17`."""
        return f"{self.file}:{self.numbers[index]}"


def read_named(name: str, *, folder: Path, tables: Tables | None = None, strict: bool = False) -> Rows:
    """Read the rows that a study names: `hub:…`, `sql:…`, `table:…`, `demo:…`, or a path that counts from `folder`.

    `./` before the name of a file keeps it from being taken for one of the others.

    Raises:
        DataError: there is no such thing, or it has no usable row.
    """
    if name.startswith("hub:"):
        return _whole(from_hub(name), name)
    if name.startswith("sql:"):
        return _whole(from_query(name, folder=folder), label(name))
    if name.startswith("table:"):
        return _whole(from_python(name, tables or {}), name)
    if name.startswith(demo.PREFIX):
        return _whole(to_table(demo.named(name)), name)
    return read(folder / name, strict=strict)


def read(path: Path, *, strict: bool = False) -> Rows:
    """Read every row of a file, whose name says its format, or of a split that `datasets` saved; `.gz` is unpacked.

    A broken row is set aside, or with `strict` ends the reading. In a CSV, a column of nothing but whole numbers (as
    they are usually written: no `007`) becomes one of integers; every other column stays text. Columns get names that a
    template can write: `Customer message` becomes `Customer_message`.

    Raises:
        DataError: the file is missing, empty, of no known format, damaged as a whole, or has no usable row.
    """
    if path.is_dir() and is_saved(path):
        return _whole(from_saved(path), _split_name(path))
    file = path.name
    reader = _reader(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _named(reader(cast(IO[bytes], stream), file, strict))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError("the file is damaged", where=file, expected="a whole gzip file", received=str(error)) from None
    except OSError as error:
        raise DataError("the file cannot be read", where=file, received=error.strerror or str(error)) from None


def _split_name(folder: Path) -> str:
    """Return the name of a saved split, with that of the data set where it is one of several."""
    several = (folder.parent / SPLITS).is_file()
    return f"{folder.resolve().parent.name}/{folder.name}" if several else folder.name


def _whole(table: pa.Table, file: str) -> Rows:
    return _named(_numbered(table, file))


def _numbered(table: pa.Table, file: str) -> Rows:
    if not len(table):
        raise _nothing_usable(file, [])
    table = without_nan(without_nanoseconds(without_views(table)))
    return Rows(table, file, np.arange(1, len(table) + 1))


def _named(rows: Rows) -> Rows:
    names = [re.sub(r"\W", "_", name) for name in rows.table.column_names]
    refuse_twice(names, rows.file)
    return replace(rows, table=rows.table.rename_columns(names))


def _reader(path: Path) -> Callable[[IO[bytes], str, bool], Rows]:
    if not path.is_file():
        raise _missing(path)
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=path.name, expected="at least one row", received="0 bytes")
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise DataError("unknown format", where=path.name, expected=f"one of {known}", received=suffix or "no suffix")
    return READERS[suffix.lower()]


def _missing(path: Path) -> DataError:
    expected = f"a file in the folder '{path.resolve().parent.name}'"
    if path.is_dir():
        expected = "a file of rows, or a folder that `datasets` saved"
        return DataError("this is a folder", where=path.name, expected=expected, hint="Name a file in it.")
    if not path.parent.is_dir():
        return DataError("no such file", where=path.name, expected=expected, received="no such folder")
    guess = nearest(path.name, [entry.name for entry in path.parent.iterdir() if entry.is_file() or is_saved(entry)])
    hint = f"Did you mean '{guess}'?" if guess else "Paths count from the folder of the study."
    return DataError("no such file", where=path.name, expected=expected, received=path.name, hint=hint)


def _from_records(records: Iterator[Record], file: str, strict: bool) -> Rows:
    numbers: list[int] = []
    set_aside: list[SetAside] = []

    def usable() -> Iterator[Mapping[str, Any]]:
        for number, row in records:
            if not isinstance(row, DataError):
                numbers.append(number)
                yield row
            elif strict:
                raise row
            else:
                set_aside.append(SetAside(f"{file}:{number}", row.what, row.received or ""))

    table = to_table(usable())
    if not numbers:
        raise _nothing_usable(file, set_aside)
    return Rows(table, file, np.asarray(numbers, np.int64), tuple(set_aside))


def _nothing_usable(file: str, set_aside: list[SetAside]) -> DataError:
    received = "none"
    if set_aside:
        received = f"{len(set_aside)} broken, the first at {set_aside[0].source}: {set_aside[0].reason}"
    return DataError("no usable row", where=file, expected="at least one", received=received)


def _read_lines(stream: IO[bytes], file: str, strict: bool) -> Rows:
    return _from_records(json_lines(stream, file), file, strict)


def _read_json(stream: IO[bytes], file: str, strict: bool) -> Rows:
    return _from_records(json_list(stream, file), file, strict)


def _read_csv(stream: IO[bytes], file: str, strict: bool) -> Rows:
    rows = _from_records(csv_rows(stream, file), file, strict)
    columns = {name: _whole_numbers(rows.table[name]) for name in rows.table.column_names}
    return replace(rows, table=pa.table(columns))


def _whole_numbers(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    """Return the column as integers where that changes no written character; an empty field is then null."""
    whole = pc.all(pc.match_substring_regex(column, r"^(0|-?[1-9][0-9]{0,17})?$")).as_py()
    empty = pc.equal(column, pa.scalar(""))
    if not whole or pc.all(empty).as_py():
        return column
    whole_numbers: pa.ChunkedArray[Any] = pc.if_else(empty, pa.scalar(None, pa.string()), column).cast(pa.int64())
    return whole_numbers


def _read_parquet(stream: IO[bytes], file: str, strict: bool) -> Rows:
    try:
        table = pq.read_table(stream)
    except pa.ArrowException as error:
        received = str(error).splitlines()[0]
        raise DataError("the file is damaged", where=file, expected="a Parquet file", received=received) from None
    return _numbered(table, file)


def _read_arrow(stream: IO[bytes], file: str, strict: bool) -> Rows:
    return _numbered(from_ipc(stream, file), file)


READERS: Mapping[str, Callable[[IO[bytes], str, bool], Rows]] = {
    **{".csv": _read_csv, ".tsv": _read_csv, ".json": _read_json, ".jsonl": _read_lines, ".ndjson": _read_lines},
    **{".parquet": _read_parquet, ".arrow": _read_arrow, ".feather": _read_arrow},
}
