"""The survey of licences: every file was looked at, and what is taken is free."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from examples.base import sources


def test_what_is_taken_is_free_and_says_where_that_is_told() -> None:
    for entry in sources.survey().taken:
        assert entry.licence in sources.FREE, entry
        assert entry.evidence and entry.credit and entry.rows > 0, entry


def test_what_is_left_out_says_why() -> None:
    assert all(entry.why and entry.licence for entry in sources.survey().left_out)


@pytest.mark.parametrize(
    "file",
    [
        *("dialogsum/dialogsum.train.jsonl", "samsum/train.jsonl", "bitext_customer_support/bitext_long.jsonl.gz"),
        *("mmlu/test/anatomy_test.csv", "superglue/COPA_val.jsonl", "banking77/test.jsonl", "gsm8k/test.jsonl"),
        *("instructions_human/cot/ecqa_train.tsv.gz", "natural_instructions_sapt/task1572_samsum_summary/test.json"),
    ],
)
def test_examinations_and_what_may_not_be_seen_are_left_out(file: str) -> None:
    assert isinstance(sources.survey().decision(file), sources.LeftOut)


def test_the_table_has_a_line_for_every_decision() -> None:
    for entry in sources.survey().entries:
        assert f"| {entry.data_set} |" in sources.table()


@pytest.mark.data
def test_every_file_was_looked_at(data_folder: Path) -> None:
    index = json.loads((data_folder / "INDEX.json").read_text(encoding="utf-8"))
    files = [file["file"] for one in index for file in one["files"]]
    assert len(files) > 500
    assert [file for file in files if sources.survey().decision(file) is None] == []


@pytest.mark.data
def test_no_held_out_task_of_natural_instructions_is_taken(data_folder: Path) -> None:
    splits = data_folder / "natural_instructions" / "splits"
    held_out = (splits / "test_tasks.txt").read_text().split() + (splits / "excluded_tasks.txt").read_text().split()
    for name in held_out:
        for file in (f"natural_instructions/tasks/{name}.json", f"natural_instructions_sapt/{name}/train.json"):
            assert not isinstance(sources.survey().decision(file), sources.Taken), name
