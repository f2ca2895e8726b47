from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from afters.data.sources import Rows, read_named
from afters.errors import DataError

TABLE = pa.table({"chat": ["hello", "bye"]})


class Split:
    """A split, as far as the library's own is used."""

    def with_format(self, name: str) -> Split:
        assert name == "arrow"
        return self

    def __getitem__(self, chosen: slice) -> pa.Table:
        return TABLE[chosen]


def library(monkeypatch: pytest.MonkeyPatch, answer: Any) -> list[tuple[Any, ...]]:
    """Put a library that gives or raises `answer` in the place of the real one, and return what it is asked."""
    asked: list[tuple[Any, ...]] = []

    def load_dataset(name: str, subset: str | None, *, split: str | None, revision: str | None) -> Any:
        asked.append((name, subset, split, revision))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    return asked


def from_hub(name: str) -> Rows:
    return read_named(name, folder=Path("nowhere"))


def refused(name: str) -> DataError:
    with pytest.raises(DataError) as caught:
        from_hub(name)
    assert caught.value.where == name
    return caught.value


def test_a_name_says_data_set_revision_subset_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = library(monkeypatch, Split())
    names = {
        "hub:samsum:train": ("samsum", None, "train", None),
        "hub:nyu-mll/glue#sst2:train[:10%]": ("nyu-mll/glue", "sst2", "train[:10%]", None),
        "hub:nyu-mll/glue@refs/pr/1#sst2:dev": ("nyu-mll/glue", "sst2", "dev", "refs/pr/1"),
    }
    for name, parts in names.items():
        found = from_hub(name)
        assert found.table.equals(TABLE) and found.source(1) == f"{name}:2"
        assert asked[-1] == parts


def test_a_split_need_be_named_only_where_there_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, {"train": Split()})
    assert len(from_hub("hub:samsum").table) == 2
    library(monkeypatch, {"train": Split(), "test": Split()})
    assert refused("hub:samsum").expected == "one of hub:samsum:train, hub:samsum:test"


def test_what_names_no_data_set_is_refused_before_anything_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    for name in ("hub:", "hub:a/b/c", "hub:two words", "hub:a#"):
        assert "OWNER/NAME" in (refused(name).expected or "")


def test_without_the_library_it_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert "pip install 'afters[datasets]'" in (refused("hub:samsum").hint or "")


def test_failures_tell_whether_it_is_the_name_the_request_or_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {
        FileNotFoundError("Dataset 'samsun' doesn't exist on the Hub"): "no such data set",
        ValueError('Unknown split "dev". Should be one of train, test.\nMore'): "cannot be had like this",
        ConnectionError("Couldn't reach 'samsum' on the Hub"): "could not be fetched",
        RuntimeError("ConnectError"): "could not be fetched",
    }
    for failure, what in failures.items():
        library(monkeypatch, failure)
        problem = refused("hub:samsum:dev")
        assert what in problem.what
        assert str(failure).splitlines()[0] in (problem.received or "") and "More" not in str(problem)
