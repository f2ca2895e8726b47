from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from afters.data.columns import as_text
from afters.data.numerals import alike
from afters.data.task import Prepared, TaskSettings, prepare

WHOLE = [3, None, 0]
GAP = [3.0, None, 0.0]
"""As pandas writes whole numbers of which one is missing."""


def written(*columns: tuple[list[Any], pa.DataType]) -> list[list[str]]:
    made = alike([pa.chunked_array([pa.array(values, kind)]) for values, kind in columns])
    return [[as_text(value) for value in column.to_pylist()] for column in made.columns]


@pytest.mark.parametrize("kind", [pa.int8(), pa.int64(), pa.uint64()])
@pytest.mark.parametrize("other", [pa.float16(), pa.float32(), pa.float64()])
def test_where_every_value_is_whole_all_are_whole_numbers(kind: pa.DataType, other: pa.DataType) -> None:
    assert written((GAP, other), (WHOLE, kind)) == [["3", "", "0"]] * 2


def test_where_one_is_not_all_are_fractions_as_in_one_file() -> None:
    assert written((WHOLE, pa.int64()), ([0.5, 3.0], pa.float64())) == [["3.0", "", "0.0"], ["0.5", "3.0"]]
    one_file = pa.array([*WHOLE, 0.5], from_pandas=True).to_pylist()
    assert [as_text(value) for value in one_file] == ["3.0", "", "0.0", "0.5"]
    assert written((WHOLE, pa.int64()), ([float("inf")], pa.float64())) == [["3.0", "", "0.0"], ["inf"]]


def test_digits_that_a_fraction_cannot_keep_are_kept_as_text() -> None:
    many = 2**53 + 1
    assert written(([many, 3], pa.int64()), ([0.5, 3.0, None], pa.float64())) == [[str(many), "3"], ["0.5", "3", ""]]
    assert written(([2**64 - 1], pa.uint64()), ([0.5], pa.float64())) == [[str(2**64 - 1)], ["0.5"]]
    assert written(([-(2**63)], pa.int64()), ([0.5], pa.float64())) == [[str(-(2**63))], ["0.5"]]
    assert written(([many], pa.int64()), ([2.0**54], pa.float64())) == [[str(many)], [str(2**54)]]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_text_that_is_nothing_but_fractions_counts_as_such(kind: pa.DataType) -> None:
    assert written((["3.0", "", "0.0"], kind), (WHOLE, pa.int64())) == [["3", "", "0"]] * 2
    assert written((["0.5", "3.0"], kind), (WHOLE, pa.int64())) == [["0.5", "3.0"], ["3.0", "", "0.0"]]
    for other in (["3", "0.5"], ["3.10", "3.0"], ["a", "3.0"], ["", ""], ["nan"]):
        assert written((other, kind), (WHOLE, pa.int64())) == [other, ["3", "", "0"]]


def test_what_needs_no_mending_is_left_as_it_is() -> None:
    kinds = [
        [(GAP, pa.float64()), ([0.5], pa.float32())],
        [(WHOLE, pa.int64()), ([1], pa.int8())],
        [(WHOLE, pa.int64()), ([True], pa.bool_())],
        [(WHOLE, pa.int64()), ([None], pa.null())],
        [(WHOLE, pa.int64()), ([None], pa.float64())],
        [(GAP, pa.float64()), (["3.0"], pa.string())],
    ]
    for one in kinds:
        columns = [pa.chunked_array([pa.array(values, kind)]) for values, kind in one]
        made = alike(columns)
        assert made.written is None and list(made.columns) == columns


def prepared(folder: Path, train: str, test: str) -> Prepared:
    told: dict[str, Any] = {"wordings": ("t {{ t }}{{ unused }}",), "answer": "{{ summary }}"}
    return prepare(TaskSettings(name="c", train=train, test=test, **told), seed=7, folder=folder)


def rows(numbers: list[Any]) -> list[dict[str, Any]]:
    return [{"t": number, "unused": "", "other": number, "summary": "s"} for number in numbers]


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize(
    ("judged", "prompt", "made"), [([0.5, 0.0], "t 0.0", "fractions"), ([2.0, 0.0, None], "t 0", "whole numbers")]
)
def test_a_row_on_both_sides_is_found_however_its_numbers_are_written(
    tmp_path: Path, format: str, judged: list[float | None], prompt: str, made: str
) -> None:
    for name, numbers in (("train", [*range(20)]), ("test", judged)):
        table, path = pa.Table.from_pylist(rows(numbers)), tmp_path / f"{name}.{format}"
        if format == "parquet":
            pq.write_table(table, path)
        elif format == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
        else:
            lines = [",".join(as_text(value) for value in row.values()) for row in table.to_pylist()]
            path.write_text("\n".join(["t,unused,other,summary", *lines]) + "\n")
    done = prepared(tmp_path, f"train.{format}", f"test.{format}")
    assert done.test[1].prompt == prompt
    assert prompt not in {example.prompt for example in (*done.train, *done.validation)}
    assert sum(group["count"] for group in done.account["set_aside"] if "also on" in group["reason"]) > 0
    note = f"train.{format}, test.{format} did not write the numbers of 't' alike: they are made {made}"
    assert [told for told in done.account["notes"] if "alike" in told] == [note]
