from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afters.data.sources import Rows, read
from afters.errors import DataError


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows(read_rows: Rows) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = read_rows.table.to_pylist()
    return found


def refused(path: Path, *, strict: bool = False) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path, strict=strict)
    assert str(path.parent) not in str(caught.value)
    return caught.value


CHATS: list[dict[str, Any]] = [{"chat": "hello", "label": 1}, {"chat": "a, b\nc", "label": None}]


def test_every_format_gives_the_same_rows(tmp_path: Path) -> None:
    lines = '{"chat": "hello", "label": 1}\n\n{"chat": "a, b\\nc", "label": null}\n'
    listed = '[{"chat": "hello", "label": 1}, {"chat": "a, b\\nc"}]'
    table = 'chat,label\nhello,1\n"a, b\nc",\n'
    pq.write_table(pa.Table.from_pylist(CHATS), tmp_path / "a.parquet")
    files = {
        **{"a.jsonl": lines, "a.json": listed, "b.json": f'{{"data": {listed}}}', "c.json": lines, "a.csv": table},
        **{"b.jsonl": "\ufeff" + lines, "d.json": "\ufeff" + listed},
        **{"b.csv": "\ufeff" + table, "c.csv": table.replace(",", ";").replace("a; b", "a, b")},
        **{"a.tsv": table.replace(",", "\t").replace("a\t b", "a, b"), "d.csv": table.replace("\n", "\r\n")},
    }
    for name, content in files.items():
        expected = [CHATS[0], {**CHATS[1], "chat": "a, b\r\nc"}] if name == "d.csv" else CHATS
        assert rows(read(written(tmp_path, name, content))) == expected, name
        packed = written(tmp_path, f"{name}.gz", gzip.compress(content.encode()))
        assert rows(read(packed)) == expected, name
    assert rows(read(tmp_path / "a.parquet")) == CHATS


def test_rows_are_numbered_as_an_editor_or_spreadsheet_shows_them(tmp_path: Path) -> None:
    lines = read(written(tmp_path, "a.jsonl", '{"x": 1}\n\n{"x": 2}\n'))
    table = read(written(tmp_path, "a.csv", 'x,y\n"two\nlines",1\n\nthree,1\n'))
    listed = read(written(tmp_path, "a.json", '[{"x": 1}, {"x": 2}]'))
    assert [found.numbers.tolist() for found in (lines, table, listed)] == [[1, 3], [2, 4], [1, 2]]
    assert table.source(1) == "a.csv:4"
    assert table.take([1]).source(0) == "a.csv:4"


def test_a_csv_column_is_whole_numbers_only_where_no_character_changes(tmp_path: Path) -> None:
    content = "label,code,price,gap,nothing\n3,007,1.0,1,\n-12,1,2,,\n"
    first, second = rows(read(written(tmp_path, "a.csv", content)))
    assert first == {"label": 3, "code": "007", "price": "1.0", "gap": 1, "nothing": ""}
    assert second == {"label": -12, "code": "1", "price": "2", "gap": None, "nothing": ""}


def test_column_names_become_what_a_template_can_write(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.csv", "Customer message,n-1\nhi,2\n"))
    assert found.table.column_names == ["Customer_message", "n_1"]
    assert "'n_1' twice" in str(refused(written(tmp_path, "b.csv", "n-1,n 1\n1,2\n")))


def test_no_such_file_names_the_nearest_in_that_folder(tmp_path: Path) -> None:
    written(tmp_path, "support.csv", "x\n1\n")
    problem = refused(tmp_path / "suport.csv")
    assert problem.where == "suport.csv"
    assert "no such file" in problem.what
    assert "Did you mean 'support.csv'?" in str(problem)
    assert "no such folder" in str(refused(tmp_path / "nowhere" / "support.csv"))
    assert "a folder" in str(refused(tmp_path))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "a.csv", "")).what == "the file is empty"
    for name, content in {"b.csv": "x,y\n", "b.jsonl": "\n\n", "b.json": "[]"}.items():
        assert refused(written(tmp_path, name, content)).what == "no usable row"


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    problem = refused(written(tmp_path, "a.xlsx", "PK"))
    assert problem.received == ".xlsx"
    assert ".csv" in (problem.expected or "")


def test_a_broken_json_line_is_set_aside_or_refused_with_its_column(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"x": 1}\n{"x": 2,}\n[3]\n{"x": "\\ud800"}\n{"x": 5}\n')
    found = read(path)
    assert rows(found) == [{"x": 1}, {"x": 5}]
    assert found.numbers.tolist() == [1, 5]
    assert [(row.source, row.reason) for row in found.set_aside] == [
        ("a.jsonl:2", "broken JSON"),
        ("a.jsonl:3", "not a JSON object"),
        ("a.jsonl:4", "not Unicode"),
    ]
    problem = refused(path, strict=True)
    assert problem.where is not None and problem.where.startswith("a.jsonl:2:")
    assert problem.expected and problem.received


def test_a_broken_json_list_is_refused_with_its_place(tmp_path: Path) -> None:
    assert refused(written(tmp_path, "a.json", '[{"x": 1},\n {"x": }]')).where == "a.json:2:8"
    assert "an object with the keys rows" in str(refused(written(tmp_path, "b.json", '{"rows": []}')))
    assert refused(written(tmp_path, "c.json", "[" * 100_000)).what == "broken JSON"


def test_a_csv_row_of_another_width_is_set_aside_or_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "chat,summary\nhi,hello\na, b,c\nbye,ciao\n")
    found = read(path)
    assert found.numbers.tolist() == [2, 4]
    assert [(row.source, row.reason, row.detail) for row in found.set_aside] == [
        ("a.csv:3", "wrong number of fields", "3 fields")
    ]
    problem = refused(path, strict=True)
    assert (problem.where, problem.expected) == ("a.csv:3", "2 fields, as the header has")
    assert "double quotes" in (problem.hint or "")


def test_a_quote_in_the_wrong_place_spoils_its_row_only(tmp_path: Path) -> None:
    found = read(written(tmp_path, "a.csv", 'x,y\n1,"a" b\n2,c\n'))
    assert found.numbers.tolist() == [3]
    assert [row.source for row in found.set_aside] == ["a.csv:2"]


def test_a_quote_that_is_never_closed_is_always_refused(tmp_path: Path) -> None:
    problem = refused(written(tmp_path, "a.csv", 'x,y\n1,a\n2,"b\n3,c\n4,d\n'))
    assert problem.where == "a.csv:3"
    assert "opened at line 3" in (problem.received or "")


def test_bytes_that_are_not_utf8_are_set_aside_or_refused_with_their_place(tmp_path: Path) -> None:
    table = written(tmp_path, "a.csv", b"chat,n\ncaf\xe9,1\ntea,2\n")
    lines = written(tmp_path, "a.jsonl", b'{"chat": "caf\xe9"}\n{"chat": "tea"}\n')
    assert [row["chat"] for path in (table, lines) for row in rows(read(path))] == ["tea", "tea"]
    assert [read(path).set_aside[0].reason for path in (table, lines)] == ["not UTF-8", "not UTF-8"]
    assert refused(table, strict=True).where == "a.csv:2:chat"
    assert refused(lines, strict=True).where == "a.jsonl:1:14"
    assert refused(table, strict=True).received == "the byte 0xe9"
    assert refused(written(tmp_path, "a.json", b'[{"x": 1},\n{"x": "\xe9"}]')).where == "a.json:2:8"


def test_utf16_is_named(tmp_path: Path) -> None:
    for name in ("a.csv", "a.jsonl", "a.json"):
        assert refused(written(tmp_path, name, "x,y\n1,2\n".encode("utf-16"))).received == "UTF-16"


def test_a_damaged_packed_or_parquet_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"x\n" + b"1\n2\n3\n" * 1000)
    assert refused(written(tmp_path, "a.csv.gz", whole[:-20])).what == "the file is damaged"
    assert refused(written(tmp_path, "b.csv.gz", b"x\n1\n")).what == "the file is damaged"
    assert refused(written(tmp_path, "a.parquet", b"PAR1 no")).what == "the file is damaged"


def test_headers_without_names_of_their_own_are_refused(tmp_path: Path) -> None:
    assert "'x' twice" in str(refused(written(tmp_path, "a.csv", "x,x\n1,2\n")))
    assert refused(written(tmp_path, "b.csv", ",\n1,2\n")).what == "broken header"


def test_a_field_longer_than_the_csv_module_takes_by_itself_is_read(tmp_path: Path) -> None:
    assert rows(read(written(tmp_path, "a.csv", "x\n" + "a" * 200_000 + "\n"))) == [{"x": "a" * 200_000}]
