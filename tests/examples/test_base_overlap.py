"""What is judged and was taught is counted: the same texts, and runs of 13 words."""

from __future__ import annotations

import doctest
import gzip
import json
from pathlib import Path

from examples.base import overlap, readers
from examples.base.generated import texts
from examples.base.overlap import Overlap, count

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"


def test_the_same_text_counts_whatever_its_case_and_white_space() -> None:
    judged = {"exam": [["Which way\nis North?", "up"], ["Which way is south?", "down"]]}
    assert count(judged, ["which WAY  is north?"]) == [Overlap("exam", 2, 1, 0)]


def test_a_short_label_is_no_overlap() -> None:
    assert count({"exam": [["yes"], ["not very toxic"]]}, ["yes", "not very toxic"]) == [Overlap("exam", 2, 0, 0)]


def test_thirteen_words_in_a_row_count_and_twelve_do_not() -> None:
    words = LONG.split()
    thirteen, twelve = " ".join(words[1:14]), " ".join(words[1:13])
    assert count({"exam": [[LONG]]}, [f"so {thirteen.upper()} and on"]) == [Overlap("exam", 1, 0, 1)]
    assert count({"exam": [[LONG]]}, [f"so {twelve} and on"]) == [Overlap("exam", 1, 0, 0)]


def test_a_row_counts_once_however_often_it_was_taught() -> None:
    assert count({"exam": [[LONG, LONG]]}, [LONG, LONG, f"{LONG} {LONG}"]) == [Overlap("exam", 1, 1, 1)]


def test_sets_are_counted_apart() -> None:
    found = count({"one": [[LONG]], "two": [["a b c d"], [LONG]], "none": []}, ["A b c d"])
    assert found == [Overlap("one", 1, 0, 0), Overlap("two", 2, 1, 0), Overlap("none", 0, 0, 0)]


def test_rows_are_read_from_json_lines_json_csv_and_plain_text(tmp_path: Path) -> None:
    row = {"question": "Why?", "choices": {"text": ["so", "thus"]}, "label": 1}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")
    (tmp_path / "b.json").write_text(json.dumps({"name": "b", "examples": [row, row]}))
    (tmp_path / "c.csv").write_text('Why?,"so, thus"\n')
    (tmp_path / "d.raw.gz").write_bytes(gzip.compress(b"Why?\n\nso\n"))
    assert [*overlap.rows_of(tmp_path / "a.jsonl")] == [["Why?", "so", "thus"]] * 2
    assert [*overlap.rows_of(tmp_path / "b.json")] == [["Why?", "so", "thus"]] * 2
    assert [*overlap.rows_of(tmp_path / "c.csv")] == [["Why?", "so, thus"]]
    assert [*overlap.rows_of(tmp_path / "d.raw.gz")] == [["Why?"], ["so"]]


def test_the_table_has_a_line_for_each_set() -> None:
    assert overlap.table([Overlap("exam", 1_200, 3, 4)]).splitlines()[-1] == "| exam | 1,200 | 3 | 4 |"


def test_teaching_rows_that_a_judging_row_repeats_are_left_out() -> None:
    taught = [{"text": text} for text in (LONG, f"well, {LONG}", "Is it late?", "Is it early?")]
    kept = overlap.apart(taught, [{"text": LONG.upper()}, {"text": "is it  late?"}], column="text")
    assert kept == [{"text": "Is it early?"}]


def test_the_examples_in_the_docstrings_run() -> None:
    for module in (overlap, readers, texts):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed, module
