"""Rows that a SQL query gives, by DuckDB: `sql:SELECT … FROM 'rows.parquet'`."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from afters.data.extras import extra
from afters.errors import DataError

PREFIX = "sql:"

SETTINGS: dict[str, Any] = {
    # The order of rows is part of a Dataset's fingerprint. Of a query that asks for none, one thread gives the same
    # order each time; two gave another order in each of six times (a GROUP BY with 100,000 groups, DuckDB 2.0).
    "threads": 1,
    # Without these nothing is fetched, be it code or a file behind an address.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    # A name in the query is a file, never a variable of this program.
    "python_enable_replacements": False,
    "lock_configuration": True,
}
"""What a query may do: read the files that its user may read, and nothing else."""


def from_query(name: str, *, folder: Path) -> pa.Table:
    """Return the rows of a query, whose file names count from `folder`.

    Raises:
        DataError: DuckDB is not there, the text is not one SELECT, or it cannot be answered.
    """
    shown = label(name)
    duckdb = extra("duckdb", of="sql", needed="a query needs the library DuckDB", where=shown)
    text = name.removeprefix(PREFIX)
    try:
        # Its search path looks into the working directory first, where a file of the same name may lie.
        with chdir(folder), duckdb.connect(config=SETTINGS) as connection:
            _refuse_all_but_select(duckdb, connection.extract_statements(text), shown)
            return connection.sql(text).to_arrow_table()
    except duckdb.Error as error:
        received = str(error).split("\n\n")[0]  # the rest tells how to switch on what is off here
        raise DataError("the query cannot be answered", where=shown, received=received) from None
    except OSError as error:
        raise DataError("the folder cannot be read", where=shown, received=error.strerror or str(error)) from None


def label(name: str) -> str:
    """Return a query's beginning, as messages and rows name it."""
    line = " ".join(name.split())
    return line if len(line) <= 60 else line[:59] + "…"


def _refuse_all_but_select(duckdb: ModuleType, statements: list[Any], where: str) -> None:
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        received = ", ".join(kind.name for kind in kinds) or "nothing"
        raise DataError("this is no query for rows", where=where, expected="one SELECT", received=received)
