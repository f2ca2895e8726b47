from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afters.data.sources import Rows, read_named
from afters.errors import DataError


def test_without_the_library_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(DataError, match=r"pip install 'afters\[sql\]'"):
        read_named("sql:SELECT 1", folder=Path())


def answered(text: str, folder: Path) -> Rows:
    pytest.importorskip("duckdb")
    return read_named(f"sql:{text}", folder=folder)


def refused(text: str, folder: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        answered(text, folder)
    return caught.value


def test_a_query_joins_files_of_the_study_s_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    for folder, team in ((study, "billing"), (elsewhere, "wrong")):
        folder.mkdir()
        (folder / "teams.csv").write_text(f"id,team\n1,{team}\n2,sales\n")
    pq.write_table(pa.table({"id": [2, 1], "message": ["hi", "bye"]}), study / "chats.parquet")
    monkeypatch.chdir(elsewhere)
    query = "SELECT message, team\nFROM 'chats.parquet' JOIN 'teams.csv' USING (id) ORDER BY message"
    found = answered(query, study)
    assert found.table.to_pylist() == [{"message": "bye", "team": "billing"}, {"message": "hi", "team": "sales"}]
    assert found.source(1) == "sql:SELECT message, team FROM 'chats.parquet' JOIN 'teams.c…:2"
    assert Path.cwd() == elsewhere


def test_rows_without_an_order_come_in_the_same_one_each_time(tmp_path: Path) -> None:
    numbers = pa.table({"n": list(range(300_000))})
    pq.write_table(numbers, tmp_path / "n.parquet", row_group_size=10_000)
    query = "SELECT n % 100000 AS part, count(*) AS rows FROM 'n.parquet' GROUP BY part"
    first = answered(query, tmp_path)  # on two threads, each of six gave another order
    assert len(first.table) == 100_000
    assert all(answered(query, tmp_path).table.equals(first.table) for _ in range(3))


def test_a_query_only_reads(tmp_path: Path) -> None:
    harmful = {
        "COPY (SELECT 1) TO 'out.csv'": "COPY",
        "SELECT 1; COPY (SELECT 1) TO 'out.csv'": "SELECT, COPY",
        "CREATE TABLE t AS SELECT 1": "CREATE",
        "ATTACH 'out.db'": "ATTACH",
        "INSTALL httpfs": "LOAD",
        "": "nothing",
    }
    for text, kinds in harmful.items():
        problem = refused(text, tmp_path)
        assert (problem.expected, problem.received) == ("one SELECT", kinds), text
    assert not list(tmp_path.iterdir())


def test_a_query_fetches_nothing_and_sees_no_variable(tmp_path: Path) -> None:
    rows = pa.table({"n": [1]})
    assert len(rows) == 1
    for text in ("SELECT * FROM 'https://example.invalid/rows.parquet'", "SELECT * FROM rows"):
        assert refused(text, tmp_path).what == "the query cannot be answered"
    assert "httpfs" in (refused("FROM 'https://example.invalid/rows.parquet'", tmp_path).received or "")


def test_a_wrong_query_tells_what_is_wrong(tmp_path: Path) -> None:
    assert "SELEC" in (refused("SELEC 1", tmp_path).received or "")
    assert "rows.csv" in (refused("FROM 'rows.csv'", tmp_path).received or "")
    assert refused("SELECT 1 AS n WHERE n = 2", tmp_path).what == "no usable row"
    assert refused("SELECT 1", tmp_path / "gone").what == "the folder cannot be read"
