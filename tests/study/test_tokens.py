"""Checks that need a tokenizer, and the preview that shows them beside those of the rows."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from afters.config import study_of
from afters.data.checks import WHOLE, Finding
from afters.preview import Previewed, preview, show

LONG = "The parcel for Ann has not come, and she wants it sent to her office. " * 6


def previewed(folder: Path, *, rows: dict[str, list[tuple[str, str]]] | None = None, **task: Any) -> Previewed:
    """Preview three files of messages and replies, asked of the embedded base that reads 60 tokens and writes 8."""
    given = {"train": [(f"Is parcel {number} late?", "yes") for number in range(12)]}
    given |= {"validation": [("Is the lamp new?", "no")], "test": [("Is it so?", "yes"), ("Is the kettle new?", "no")]}
    for side, pairs in (given | (rows or {})).items():
        lines = (json.dumps({"message": message, "reply": reply}) + "\n" for message, reply in pairs)
        (folder / f"{side}.jsonl").write_text("".join(lines))
    chats = {
        **{"name": "chats", "wordings": ["{{ message }}"], "answer": "{{ reply }}", "metrics": ["exact_match"]},
        **{side: f"{side}.jsonl" for side in given},
    }
    study = {
        "name": "chats",
        "model": {"base": "afters-tiny", "precision": "fp32", "max_prompt_tokens": 60},
        "task": [{**chats, **task}],
        "judge": {"max_new_tokens": 8},
    }
    return preview(study_of(study), folder=folder)


def findings(told: Previewed, name: str) -> list[Finding]:
    return [finding for finding in told.tasks[0].findings if finding.name == name]


def test_prompts_that_are_cut_are_named_with_how_much(tmp_path: Path) -> None:
    told = previewed(tmp_path, rows={"test": [("Is it so?", "yes"), (LONG, "no")]}, cut="message")
    (finding,) = findings(told, "prompts cut")
    assert dict(finding.shares) == {"test": (1, 2)} and "60 tokens" in finding.what
    (place,) = finding.places
    read = len(told.prompter.tokenizer(LONG.strip()).input_ids)
    assert place.source == "test.jsonl:2" and place.detail == f"{read - 60} tokens cut"


def test_an_answer_is_too_long_from_the_first_token_that_cannot_be_written(tmp_path: Path) -> None:
    told = previewed(tmp_path)
    words = "Ann wants the parcel sent to her office now please"
    ids = told.prompter.tokenizer(words, add_special_tokens=False).input_ids
    fits, longer = (told.prompter.tokenizer.decode(ids[:length]) for length in (8, 9))
    lengths = [len(told.prompter.answer(text)) - 1 for text in (fits, longer)]
    assert lengths == [8, 9], "decoded and encoded again they are as long"
    told = previewed(tmp_path, rows={"test": [("One?", fits), ("Two?", longer), ("Three?", "no")]})
    (finding,) = findings(told, "answers too long to be written")
    assert dict(finding.shares) == {"test": (1, 3)} and finding.severity == "warns"
    assert [tuple(place) for place in finding.places] == [("test.jsonl:2", "9 tokens")]


def test_declared_choices_that_begin_alike_are_told_and_no_answer_is_too_long(tmp_path: Path) -> None:
    rows = {side: [("Is it so?", "yes"), (f"Not {side}?", "no it is not")] for side in ("train", "validation", "test")}
    choices = ["yes", "no", "no it is not"]
    told = previewed(tmp_path, rows=rows, choices=choices, metrics=["accuracy"])
    (finding,) = findings(told, "choices that begin alike")
    assert dict(finding.shares) == {WHOLE: (2, 3)} and finding.severity == "tells"
    assert [tuple(place) for place in finding.places] == [("choices", "'no', 'no it is not'")]
    assert not findings(told, "answers too long to be written")


def test_a_row_s_own_choices_are_told_by_row(tmp_path: Path) -> None:
    told = previewed(tmp_path, choices="{{ [reply, message] }}", metrics=["accuracy"])
    assert not findings(told, "choices that begin alike")
    rows = {"test": [("yes it is", "yes"), ("Is the kettle new?", "no")]}
    told = previewed(tmp_path, rows=rows, choices="{{ [reply, message] }}", metrics=["accuracy"])
    (finding,) = findings(told, "choices that begin alike")
    assert dict(finding.shares) == {"test": (1, 2)}
    assert [tuple(place) for place in finding.places] == [("test.jsonl:1", "'yes', 'yes it is'")]


def test_the_shell_shows_what_spoils_a_run_before_the_rest(tmp_path: Path) -> None:
    told = previewed(tmp_path, rows={"test": [("Is it so?", "yes"), (LONG, "\x1b[31mno")]}, cut="message")
    said = Console(width=100, record=True, file=io.StringIO())
    show(told, rows=2, console=said)
    shown = said.export_text()
    assert told.spoilt_by and shown.index("spoils label balance  train 12 of 12") < shown.index("warns  prompts cut")
    assert "\x1b" not in shown and "nothing found by: labels alike" in shown
    assert "Unicode NFKC, lower case, white space collapsed" in shown and "Licence of the rows: not known" in shown
    assert "up to 60, and may write up to 8" in shown


def test_json_holds_every_finding_with_its_rows_and_the_shown_rows(tmp_path: Path) -> None:
    told = previewed(tmp_path, template="dialogsum", wordings=("{{ message }}",), references=("reply",), cut="message")
    plain = json.loads(told.json(rows=1))
    assert (plain["schema"], plain["spoilt"]) == ("afters.preview/1", True)
    (task,) = plain["tasks"]
    assert task["licence"] == "CC BY-NC-SA 4.0" and task["limits"] == {"max_prompt_tokens": 60, "max_new_tokens": 8}
    assert task["rows"]["train"] == {"read": 12, "used": 12, "set_aside": 0}
    assert task["labels"]["train"] == {"yes": 12}
    assert [row["side"] for row in task["shown"]] == ["train", "test"]
    assert task["shown"][0]["read"].startswith("Is parcel") and task["shown"][1]["taught"] is None
    finding = task["findings"][0]
    assert (finding["name"], finding["count"], finding["of"]) == ("label balance", 12, 12)
    assert finding["places"] == [{"source": "train.jsonl:1", "detail": ""}]


@pytest.mark.parametrize("side", ["train", "validation", "test"])
def test_what_was_measured_is_one_number_for_each_row_used(tmp_path: Path, side: str) -> None:
    told = previewed(tmp_path, rows={"train": [("Is it late?", "yes"), (LONG, "no")]}, too_long="drop", cut=None)
    task = told.tasks[0].task
    assert {len(one) for one in task.measured[side]} == {len(task.sides[side])}  # type: ignore[index]


def test_rows_from_python_are_previewed() -> None:
    rows = [{"message": f"Where is order {number}?", "reply": f"At {number % 5}."} for number in range(60)]
    task = {"name": "chats", "source": "table:chats", "wordings": ["{{ message }}"], "answer": "{{ reply }}"}
    study = study_of({"name": "chats", "task": [{**task, "metrics": ["exact_match"]}]})
    told = preview(study, folder=Path(), tables={"chats": rows})
    assert sum(len(side) for side in told.tasks[0].task.sides.values()) == 60
