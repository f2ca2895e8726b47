from __future__ import annotations

import pyarrow as pa
import pytest

from afters.data import columns


def test_a_missing_column_is_null() -> None:
    assert columns.to_table([{"x": 1}, {"y": "a"}]).to_pylist() == [{"x": 1, "y": None}, {"x": None, "y": "a"}]


def test_nan_is_missing_as_pandas_writes_it() -> None:
    nan = float("nan")
    values: list[list[object]] = [["a", nan], [1.5, nan], [1, nan], [nan, "a", 2]]
    read = [columns.to_table([{"x": value} for value in some])["x"].to_pylist() for some in values]
    assert read == [["a", None], [1.5, None], [1, None], [None, "a", "2"]]
    table = pa.table({"x": [1.5, nan], "y": ["nan", "b"]})
    assert columns.without_nan(table).to_pylist() == [{"x": 1.5, "y": "nan"}, {"x": None, "y": "b"}]


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("ns", "UTC"), pa.time64("ns"), pa.duration("ns")])
def test_times_finer_than_microseconds_keep_every_digit(kind: pa.DataType) -> None:
    fine = pa.table({"t": pa.array([1_123_456_789, None], pa.int64()).cast(kind)})
    read = columns.without_nanoseconds(fine)["t"].to_pylist()
    assert "123456789" in read[0]
    assert read[1] is None
    coarse = pa.table({"t": pa.array([1_123_456_000, None], pa.int64()).cast(kind)})
    assert columns.without_nanoseconds(coarse).equals(coarse)


def test_columns_of_several_types_become_text() -> None:
    table = columns.to_table([{"x": 1, "y": [1]}, {"x": "a", "y": {"b": "ü"}}, {"x": None, "y": None}])
    assert table["x"].to_pylist() == ["1", "a", None]
    assert table["y"].to_pylist() == ["[1]", '{"b": "ü"}', None]
    assert columns.to_table([{"x": 2**70}])["x"].to_pylist() == [str(2**70)]


def test_types_that_differ_between_batches_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "BATCH", 2)
    values: list[object] = [None, None, 1, 2, None, 2.5]
    assert columns.to_table([{"x": value} for value in values])["x"].to_pylist() == [None, None, 1, 2, None, 2.5]
    values = [None, 3, "a", "b"]
    assert columns.to_table([{"x": value} for value in values])["x"].to_pylist() == [None, "3", "a", "b"]
    assert columns.to_table([{"x": 1}, {"x": 1}, {"y": 1}]).to_pylist()[2] == {"x": None, "y": 1}


def test_rows_come_back_in_order() -> None:
    rows = [{"x": number} for number in range(2_500)]
    assert list(columns.rows_of(columns.to_table(rows))) == rows


def test_text_of_a_value() -> None:
    assert [columns.as_text(value) for value in (None, 1, "a", ["ü"], True)] == ["", "1", "a", '["ü"]', "True"]
