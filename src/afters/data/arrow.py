"""Rows kept as Arrow: files and streams of its IPC format, and folders saved by the `datasets` library."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from afters.errors import DataError

STATE, SPLITS = "state.json", "dataset_dict.json"
"""What `save_to_disk` leaves beside the rows: of one split, and of several with a folder each."""

MAGIC = b"ARROW1"
"""How the file format begins; the stream format has no name of its own."""


def from_ipc(stream: IO[bytes], file: str) -> pa.Table:
    """Return the rows of an IPC file or stream.

    Raises:
        DataError: it is neither, or damaged.
    """
    is_file = stream.read(len(MAGIC)) == MAGIC
    stream.seek(0)
    try:
        table = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(stream).read_all()
        table.validate(full=True)  # offsets that lead nowhere would end the process when a row is looked at
    except (pa.ArrowException, OSError) as error:
        expected, received = "an Arrow file or stream (of Feather, version 2)", str(error).splitlines()[0]
        raise DataError("the file is damaged", where=file, expected=expected, received=received) from None
    return table


def is_saved(folder: Path) -> bool:
    """Tell whether `datasets` saved this folder."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def from_saved(folder: Path) -> pa.Table:
    """Return the rows of one split that `datasets` saved with `save_to_disk`.

    Raises:
        DataError: the folder holds several splits, an index over its rows, or what is damaged.
    """
    if not (folder / STATE).is_file():
        raise _several(folder)
    state = _json(folder, STATE)
    if any(value for key, value in state.items() if "indices" in key):
        hint = "Save it again: dataset.flatten_indices().save_to_disk(…)."
        raise DataError("its rows are chosen by an index beside them, which is not read", where=folder.name, hint=hint)
    parts = [_part(folder, name) for name in _names(state, folder)]
    try:
        return pa.concat_tables(parts).replace_schema_metadata(None)
    except pa.ArrowException as error:
        received = str(error).splitlines()[0]
        raise DataError(
            "its files do not fit together", where=folder.name, expected="the same columns in each", received=received
        ) from None


def _several(folder: Path) -> DataError:
    names = _json(folder, SPLITS).get("splits")
    splits = [str(name) for name in names] if isinstance(names, list) else []
    return DataError(
        "this folder holds several splits",
        where=folder.name,
        expected="one of " + ", ".join(f"{folder.name}/{split}" for split in splits),
        hint="Name one for each side.",
    )


def _names(state: dict[str, Any], folder: Path) -> Sequence[str]:
    """Return the files of rows, none of them outside the folder."""
    found = state.get("_data_files")
    names = [entry.get("filename") for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    plain = [name for name in names if isinstance(name, str) and name == Path(name).name]
    if not plain or len(plain) < len(names):
        expected = "_data_files, which name the files of rows in this folder"
        raise DataError("broken state", where=f"{folder.name}/{STATE}", expected=expected, received=str(found)[:80])
    return plain


def _part(folder: Path, name: str) -> pa.Table:
    shown = f"{folder.name}/{name}"
    try:
        with (folder / name).open("rb") as stream:
            return from_ipc(stream, shown)
    except OSError as error:
        raise DataError("the file cannot be read", where=shown, received=error.strerror or str(error)) from None


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        value = json.loads((folder / name).read_bytes())
    except (OSError, ValueError) as error:
        raise DataError("broken JSON", where=f"{folder.name}/{name}", received=str(error)) from None
    if not isinstance(value, dict):
        raise DataError("broken JSON", where=f"{folder.name}/{name}", expected="an object", received=str(value)[:80])
    return value
