"""A file of rows, read whole: every row with its number, and every broken one told."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from afters.data.formats import Record, csv_rows, json_lines, json_list
from afters.errors import DataError, InputError, nearest, raise_together
from afters.sides.faults import Faults

Row = Mapping[str, Any]

READERS = {".csv": csv_rows, ".tsv": csv_rows, ".json": json_list, ".jsonl": json_lines, ".ndjson": json_lines}


class Table(NamedTuple):
    """The rows of a file, each with its number in it, and a place for what is wrong with them."""

    rows: list[tuple[int, Row]]
    faults: Faults

    @property
    def columns(self) -> list[str]:
        """The names that some row has, in the order in which they first come."""
        return list(dict.fromkeys(name for _, row in self.rows for name in row))

    def settle(self) -> None:
        """Raise all faults found so far, together."""
        raise_together(self.faults.told())


def read_table(path: Path) -> Table:
    """Read a file whose name says its format; rows that are broken are kept as faults.

    Raises:
        DataError: the file is missing, empty, of no known format, or damaged as a whole.
    """
    reader = READERS.get(_suffix(path))
    if not path.is_file():
        raise _missing(path)
    if reader is None:
        expected = f"a run folder, or a file that ends in {', '.join(READERS)}"
        raise DataError("unknown format", where=path.name, expected=expected, received=path.suffix or "no suffix")
    table = Table([], Faults(path.name))
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            _sort(reader(cast(IO[bytes], stream), path.name), table)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("the file cannot be read", where=path.name, received=str(error)) from None
    except InputError as problem:  # of the file as a whole; rows told before it are no less broken
        table.faults.others.append(problem)
    if not table.rows:
        table.settle()
        raise DataError("the file is empty", where=path.name, expected="one row at least", received="none")
    return table


def _sort(records: Iterator[Record], table: Table) -> None:
    for number, record in records:
        if isinstance(record, DataError):
            table.faults.others.append(record)
        else:
            table.rows.append((number, record))


def _suffix(path: Path) -> str:
    return (Path(path.stem).suffix if path.suffix == ".gz" else path.suffix).lower()


def _missing(path: Path) -> DataError:
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    guess = nearest(path.name, names)
    return DataError(
        "no such file or folder",
        where=str(path),
        expected="a run folder, a prediction file, or lm-eval's samples_*.jsonl",
        received=None if path.parent.is_dir() else f"no folder '{path.parent}' either",
        hint=f"Did you mean '{path.with_name(guess)}'?" if guess else "Paths count from where the command is given.",
    )
