from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from afters.data.sources import Rows, read_named
from afters.data.task import TaskSettings, prepare
from afters.errors import DataError

CHATS = [{"chat": "hello", "label": 1}, {"chat": "bye", "label": None}]


class Frame:
    """A data frame of any library that speaks Arrow's protocol."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return pa.Table.from_pylist(CHATS).__arrow_c_stream__(requested_schema)


def given(rows: object) -> Rows:
    return read_named("table:chats", folder=Path("nowhere"), tables={"chats": rows})


def refused(rows: object) -> DataError:
    with pytest.raises(DataError) as caught:
        given(rows)
    return caught.value


def test_frames_arrow_tables_and_lists_of_dicts_are_rows() -> None:
    for rows in (CHATS, pa.Table.from_pylist(CHATS), Frame()):
        found = given(rows)
        assert found.table.to_pylist() == CHATS
        assert found.source(1) == "table:chats:2"


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_the_usual_libraries_are_rows(library: str) -> None:
    frame = pytest.importorskip(library).DataFrame({"chat": ["hello", "bye", "ciao"]})
    assert given(frame).take([2, 0]).table["chat"].to_pylist() == ["ciao", "hello"]


def test_a_name_that_was_not_given_tells_how_to_give_it() -> None:
    with pytest.raises(DataError) as caught:
        read_named("table:chat", folder=Path(), tables={"chats": CHATS})
    assert "did you mean 'chats'?" in caught.value.what
    assert "tables={'chat': frame}" in (caught.value.hint or "")
    with pytest.raises(DataError, match="known: none"):
        read_named("table:chat", folder=Path())


def test_what_is_no_table_is_refused() -> None:
    for rows in (7, "chats.csv", {"chat": 3}, [{"chat": "\ud800"}]):
        problem = refused(rows)
        assert problem.what in ("these are no rows", "this is no row"), rows
        assert problem.expected
    assert refused([{"chat": "hello"}, ["bye"]]).where == "table:chats:2"
    assert refused([{1: "hello"}]).what == "this is no row"
    assert refused([]).what == "no usable row"


def test_a_path_that_begins_like_another_source_is_still_a_path(tmp_path: Path) -> None:
    (tmp_path / "sql:a.csv").write_text("chat\nhello\n")
    assert len(read_named("./sql:a.csv", folder=tmp_path).table) == 1


def test_a_task_takes_its_sides_from_tables(tmp_path: Path) -> None:
    settings = TaskSettings(
        name="chats", train="table:old", test="table:new", wordings=("{{ chat }}",), answer="{{ label }}"
    )
    rows = [{"chat": f"chat {number}", "label": number} for number in range(30)]
    tables = {"old": rows[:20], "new": pa.Table.from_pylist(rows[20:])}
    done = prepare(settings, seed=7, folder=tmp_path, tables=tables)
    assert len(done.train) + len(done.validation) == 20
    assert [example.source for example in done.test][:2] == ["table:new:1", "table:new:2"]
