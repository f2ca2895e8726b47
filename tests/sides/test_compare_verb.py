"""`afters compare` as a user types it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import pytest
from on_disk import MakeRun, Write

from afters.cli import main

Captured = pytest.CaptureFixture[str]


def afters(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run a verb in this process, and return how it ended."""
    monkeypatch.setattr(sys, "argv", ["afters", *words])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


def rows(answers: Sequence[str]) -> list[dict[str, str]]:
    return [{"id": f"q{place}", "prediction": one, "reference": "yes"} for place, one in enumerate(answers)]


def test_the_verdict_comes_first_and_what_was_not_checked_last(
    lines: Write, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, after = lines("before.jsonl", rows(["no", ""] * 10)), lines("after.jsonl", rows(["yes"] * 20))
    words = ("--metric", "exact_match", "--metric", "rouge1", "--smallest-effect", "0.1")
    assert afters(monkeypatch, "compare", str(before), str(after), *words) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[1].startswith("Improved. exact_match of this checkpoint went from 0.000 to 1.000")
    assert "(p < 0.001, exact McNemar)" in " ".join(said.split())
    assert "Empty answers, which are scored like any other: 10 of before.jsonl, 0 of after.jsonl." in said
    assert "whether both have the same decoding could not be checked" in said


def test_json_is_the_object_of_a_runs_verdict(lines: Write, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    before, after = lines("before.jsonl", rows(["no"] * 20)), lines("after.jsonl", rows(["yes"] * 20))
    assert afters(monkeypatch, "compare", str(before), str(after), "--metric", "exact_match", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema"], found["comparisons"][0]["verdict"]) == ("afters.verdict/1", "improved")


def test_seeds_stand_on_both_sides_of_the_word_to(
    make_run: MakeRun, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = [
        [
            str(make_run(f"{name}{seed}", after=["yes"] * (right + seed) + ["no"] * (40 - right - seed)))
            for seed in range(3)
        ]
        for name, right in (("old", 5), ("new", 30))
    ]
    assert afters(monkeypatch, "compare", *sides[0], "to", *sides[1], "--metric", "exact_match") == 0
    assert "of this recipe (3 seeds before, 3 after) went from 0.150 to 0.775" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.jsonl", "b.jsonl", "c.jsonl"), "3 paths, and no 'to' between them"),
        (("a.jsonl",), "nothing to compare with"),
        (("a.jsonl", "to"), "nothing to compare with"),
        (("to", "a.jsonl"), "nothing to compare with"),
        (("nowhere.jsonl", "a.jsonl", "--metric", "bleu"), "no such file or folder"),
        (("a.jsonl", "b.jsonl", "--metric", "blue"), "did you mean 'bleu'"),
        (("a.jsonl", "b.jsonl", "--smallest-effect", "-1"), "--smallest-effect"),
        (("a.jsonl", "b.jsonl", "--metrik", "bleu"), "--metric"),
    ],
)
def test_bad_input_ends_with_2_and_one_message(
    lines: Write, capsys: Captured, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        folder = lines(name, rows(["yes", "no"])).parent
    monkeypatch.chdir(folder)
    assert afters(monkeypatch, "compare", *words) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and "Traceback" not in complaint
