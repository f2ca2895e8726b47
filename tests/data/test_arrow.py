from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from afters.data.sources import read
from afters.errors import DataError

CHATS: list[dict[str, Any]] = [{"chat": "hello", "label": 1}, {"chat": "bye", "label": None}]

TABLE = pa.Table.from_pylist(CHATS)


def stream_of(path: Path, table: pa.Table) -> Path:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return path


def file_of(path: Path, table: pa.Table, **options: Any) -> Path:
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer,
    ):
        writer.write_table(table)
    return path


def saved(folder: Path, *tables: pa.Table, **state: Any) -> Path:
    """Write what `datasets` saves of a split."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-{len(tables):05d}.arrow" for number in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        stream_of(folder / name, table.replace_schema_metadata({"huggingface": "{}"}))
    told = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "1f", "_split": "train", **state}
    (folder / "state.json").write_text(json.dumps(told))
    return folder


def refused(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(path.parent.parent) not in str(caught.value)
    return caught.value


def test_files_and_streams_of_arrow_are_read(tmp_path: Path) -> None:
    packed = file_of(tmp_path / "c.arrow", TABLE, compression="lz4")
    for path in (file_of(tmp_path / "a.feather", TABLE), stream_of(tmp_path / "b.arrow", TABLE), packed):
        found = read(path)
        assert found.table.to_pylist() == CHATS
        assert found.source(1) == f"{path.name}:2"


def test_rows_can_be_taken_from_the_layout_that_polars_writes(tmp_path: Path) -> None:
    text = pa.string_view()
    columns = {
        "chat": pa.array(["first", "second"], text),
        "turns": pa.array([["a"], ["b"]], pa.list_(text)),
        "who": pa.array([{"name": "x"}, {"name": "y"}], pa.struct([("name", text)])),
    }
    found = read(file_of(tmp_path / "a.arrow", pa.table(columns))).take([1])
    assert found.table.to_pylist() == [{"chat": "second", "turns": ["b"], "who": {"name": "y"}}]


def test_what_is_no_whole_arrow_is_refused(tmp_path: Path) -> None:
    whole = stream_of(tmp_path / "whole.arrow", TABLE).read_bytes()
    for number, content in enumerate([whole[:-100], b"ARROW1 and no more", b"chat,label\n"]):
        path = tmp_path / f"{number}.arrow"
        path.write_bytes(content)
        assert refused(path).what == "the file is damaged", content
    assert refused(stream_of(tmp_path / "none.arrow", TABLE.slice(0, 0))).what == "no usable row"


def test_offsets_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    offsets = b"".join(offset.to_bytes(4, "little") for offset in (0, 100_000, 5))
    broken = pa.StringArray.from_buffers(2, pa.py_buffer(offsets), pa.py_buffer(b"hello"))
    problem = refused(stream_of(tmp_path / "a.arrow", pa.table({"chat": broken})))
    assert problem.what == "the file is damaged"


def test_a_saved_split_is_its_shards_in_their_order(tmp_path: Path) -> None:
    found = read(saved(tmp_path / "chats", TABLE, TABLE.slice(1)))
    assert found.table.to_pylist() == [*CHATS, CHATS[1]]
    assert found.source(2) == "chats:3"
    assert found.table.schema.metadata is None


def test_a_folder_of_splits_tells_which_there_are(tmp_path: Path) -> None:
    both = tmp_path / "chats"
    for split in ("train", "test"):
        saved(both / split, TABLE)
    (both / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert read(both / "test").source(0) == "chats/test:1"
    assert refused(both).expected == "one of chats/train, chats/test"
    assert refused(both / "tran").hint == "Did you mean 'train'?"


def test_a_saved_folder_that_cannot_be_trusted_is_refused(tmp_path: Path) -> None:
    index = refused(saved(tmp_path / "a", TABLE, _indices_files=[{"filename": "indices.arrow"}]))
    assert "flatten_indices" in (index.hint or "")
    stream_of(tmp_path / "outside.arrow", TABLE)
    broken: list[Any] = [[{"filename": "../outside.arrow"}], [], None, ["data.arrow"], [{}]]
    for number, files in enumerate(broken):
        assert refused(saved(tmp_path / f"b{number}", TABLE, _data_files=files)).what == "broken state", files
    gone = saved(tmp_path / "c", TABLE, TABLE)
    (gone / "data-00001-of-00002.arrow").unlink()
    assert refused(gone).where == "c/data-00001-of-00002.arrow"
    assert "fit together" in refused(saved(tmp_path / "d", TABLE, TABLE.drop(["label"]))).what
    (gone / "state.json").write_text("{")
    assert refused(gone).where == "c/state.json"
    (gone / "state.json").write_text("[]")
    assert refused(gone).expected == "an object"
