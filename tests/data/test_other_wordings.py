from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afters.data.other_wordings import other_wordings
from afters.data.task import Prepared, TaskSettings, prepare

ROWS = [{"message": f"Message {number}", "team": "ab"[number % 2], "place": f"Town {number}"} for number in range(8)]


def prepared(
    folder: Path, *wordings: dict[str, Any], test: list[dict[str, Any]] | None = None, **more: Any
) -> Prepared:
    """Return a task of a template of these wordings, after the first one, which decides."""
    first = {"id": "plain", "prompt": "Which team? {{ message }}"}
    lines = "".join(f"[[wordings]]\n{_table(wording)}" for wording in (first, *wordings))
    top = {"answer": "{{ team }}", "metrics": ["exact_match"], **more.pop("template", {})}
    (folder / "teams.toml").write_text(_table(top) + lines)
    rows = {"train": ROWS[:4], "validation": ROWS[4:5], "test": test or ROWS[5:]}
    for side, side_rows in rows.items():
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in side_rows))
    files = {side: f"{side}.jsonl" for side in rows}
    return prepare(TaskSettings(name="teams", template="teams.toml", **files, **more), seed=1, folder=folder)


def _table(content: dict[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in content.items())


def test_wordings_that_ask_the_same_are_judged_in_the_template_s_order(tmp_path: Path) -> None:
    more = [{"id": "z", "prompt": "{{ message }} Team:"}, {"id": "a", "prompt": "Team of {{ message }}?"}]
    assert other_wordings(prepared(tmp_path, *more), metric="exact_match") == (("z", "a"), {})
    chosen = prepared(tmp_path, *more, judge_wording="z")
    assert other_wordings(chosen, metric="exact_match").asked == ("plain", "a")


def test_the_same_rows_are_asked_in_another_wording(tmp_path: Path) -> None:
    test = prepared(tmp_path, {"id": "z", "prompt": "{{ message }} Team:"}).test
    other = test.in_wording("z")
    for asked, before in zip(other, test, strict=True):
        assert asked.prompt == f"{before.content.capitalize()} Team:" and asked.wording == "z"
        assert (asked.id, asked.cluster, asked.references) == (before.id, before.cluster, before.references)
    assert other.fingerprint != test.fingerprint


def test_an_answer_of_its_own_is_judged_against_that_answer(tmp_path: Path) -> None:
    task = prepared(tmp_path, {"id": "loud", "prompt": "{{ message }} Team?", "answer": "{{ team | upper }}"})
    assert other_wordings(task, metric="exact_match").asked == ("loud",)
    assert {example.references for example in task.test.in_wording("loud")} <= {("A",), ("B",)}


@pytest.mark.parametrize(
    ("wording", "reason"),
    [
        (
            {"prompt": "Team {{ team }}: what was said?", "inverted": True, "answer": "{{ message }}"},
            "is inverted",
        ),
        ({"prompt": "{{ message }}?", "answer": "{{ team }}", "choices": ["a", "b"]}, "is answered among choices"),
        ({"prompt": "{{ message }}?", "metrics": ["bleu"]}, "its answers are for bleu, and exact_match decides"),
    ],
)
def test_what_asks_something_else_is_left_out_with_the_reason(
    tmp_path: Path, wording: dict[str, Any], reason: str
) -> None:
    found = other_wordings(prepared(tmp_path, {"id": "other", **wording}), metric="exact_match")
    assert found.asked == () and reason in found.left_out["other"]


def test_free_answers_do_not_stand_beside_choices(tmp_path: Path) -> None:
    free = {"id": "free", "prompt": "{{ message }}?", "answer": "{{ team }}"}
    task = prepared(tmp_path, free, template={"choices": ["a", "b"], "metrics": ["accuracy"]})
    assert "is answered in free words" in other_wordings(task, metric="accuracy").left_out["free"]


def test_metrics_that_the_study_names_hold_for_every_wording(tmp_path: Path) -> None:
    task = prepared(tmp_path, {"id": "other", "prompt": "{{ message }}?", "metrics": ["bleu"]}, metrics=("rouge",))
    assert other_wordings(task, metric="rouge").asked == ("other",)


def test_a_wording_that_cannot_ask_every_judged_row_is_left_out_whole_and_the_row_named(tmp_path: Path) -> None:
    test = [*ROWS[5:], {"message": "Message 9", "team": "a", "place": ""}]
    task = prepared(tmp_path, {"id": "place", "prompt": "{{ place }}"}, test=test)
    reason = other_wordings(task, metric="exact_match").left_out["place"]
    assert reason == "it cannot ask 1 of 4 judged rows, as test.jsonl:4: empty prompt"


@pytest.mark.data
def test_samsum_s_wordings_are_all_judged_and_of_promptsource_s_all_but_the_inverted_one(data_folder: Path) -> None:
    files = {side: str(data_folder / "samsum" / f"{side}.jsonl") for side in ("train", "test")}
    limits = {"train_limit": 5, "test_limit": 20}
    found = {}
    for template in ("samsum", str(data_folder / "template_lib_promptsource" / "samsum")):
        settings = TaskSettings(name="samsum", template=template, **files, **limits)
        found[template] = other_wordings(prepare(settings, seed=1, folder=data_folder), metric="rouge")
    ours, theirs = found.values()
    assert len(ours.asked) == 9 and not ours.left_out
    assert len(theirs.asked) == 5 and list(theirs.left_out) == ["Write a dialogue that match this summary"]
