"""Rows from a hub of data sets, by the `datasets` library: `hub:OWNER/NAME#SUBSET:SPLIT`."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pyarrow as pa

from afters.data.extras import extra
from afters.errors import DataError

FORM = "hub:OWNER/NAME#SUBSET:SPLIT, where OWNER, #SUBSET and :SPLIT may be missing, and @REVISION may follow NAME"

NAME = re.compile(r"hub:(?P<name>[\w.-]+(/[\w.-]+)?)(@(?P<revision>[\w./-]+))?(#(?P<subset>[^:]+))?(:(?P<split>.+))?")


def from_hub(name: str) -> pa.Table:
    """Return the rows of a data set, fetched or as the library keeps them from an earlier time.

    Raises:
        DataError: the name is not of the form, the library is not there, or it cannot give these rows.
    """
    parts = NAME.fullmatch(name)
    if parts is None:
        raise DataError("this names no data set", where=name, expected=FORM)
    library = extra("datasets", of="datasets", needed="rows from a hub need the library datasets", where=name)
    found = _load(library, parts, name)
    if isinstance(found, dict):
        if len(found) > 1:
            raise _several(name, list(found))
        (found,) = found.values()
    table: pa.Table = found.with_format("arrow")[:]
    return table.replace_schema_metadata(None)


def _several(name: str, splits: list[str]) -> DataError:
    expected = "one of " + ", ".join(f"{name}:{split}" for split in splits)
    return DataError("this data set has several splits", where=name, expected=expected)


def _load(library: ModuleType, parts: re.Match[str], name: str) -> Any:
    try:
        return library.load_dataset(parts["name"], parts["subset"], split=parts["split"], revision=parts["revision"])
    except Exception as error:  # the library lets through whatever its transports raise
        raise _refused(error, name) from error


def _refused(error: Exception, name: str) -> DataError:
    received = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    if isinstance(error, FileNotFoundError):
        what, hint = "the hub has no such data set, or only for those who are signed in", f"The form is {FORM}."
    elif isinstance(error, ValueError | KeyError):
        what, hint = "the data set cannot be had like this", f"The form is {FORM}."
    else:
        what = "the data set could not be fetched"
        hint = "Without network: save it where there is one, with save_to_disk, and name that folder's split."
    return DataError(what, where=name, received=received, hint=hint)
