"""Rows that are longer than the model reads or writes: nothing is left out or shortened but as the task says."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tiny_models import Kind, Tiny

from afters.config import study_of
from afters.errors import InputError, Problems, SettingsError
from afters.model.load import prompter_of
from afters.model.prompt import Prompter
from afters.preview import preview, show
from afters.study.fitting import encode
from afters.study.reading import read_tasks
from afters.study.run import run
from afters.study.settings import Study
from afters.study.work import TaskAtHand

LONG = "The parcel for Ann has not come, and she wants it sent to her office. " * 3

PLAIN = [f"Is parcel {number} late?" for number in range(12)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(
    folder: Path, *, train: list[str], test: list[str] | None = None, answers: dict[int, str] | None = None
) -> None:
    """Write the three files; the teaching row of a number in `answers` gets that answer, all others "yes"."""
    sides = {"train": train, "validation": ["Is the lamp new?"], "test": test or ["Is the kettle broken?", "Is it so?"]}
    for side, messages in sides.items():
        rows = [
            {"message": message, "reply": (answers or {}).get(number, "yes") if side == "train" else "yes"}
            for number, message in enumerate(messages)
        ]
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def study(base: Path, *, train: dict[str, Any] | None = None, new: int = 8, limit: int = 60, **task: Any) -> Study:
    chats = {
        **{"name": "chats", "train": "train.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"},
        **{"wordings": ["Answer: {{ message }} Yes or no?"], "answer": "{{ reply }}", "metrics": ["exact_match"]},
    }
    return study_of(
        {
            "name": "chats",
            "model": {"base": str(base), "precision": "fp32", "max_prompt_tokens": limit},
            "task": [{**chats, **task}],
            "keep": {"tasks": []},
            "before": {"shots": [0], "nearest": False},
            "train": {"epochs": 1, "validations": 1, **(train or {})},
            "judge": {"max_new_tokens": new},
        }
    )


def fit(tiny: Tiny, kind: Kind, folder: Path, **settings: Any) -> tuple[TaskAtHand, Prompter]:
    made = study(tiny(kind), **settings)
    limit = made.model.max_prompt_tokens
    prompter = prompter_of(tiny(kind), max_prompt_tokens=limit, max_new_tokens=made.judge.max_new_tokens)
    tasks = read_tasks(made, folder=folder, strict=False)
    encode(tasks, prompter, made)
    return tasks[0], prompter


def refusal(tiny: Tiny, kind: Kind, folder: Path, **settings: Any) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        fit(tiny, kind, folder, **settings)
    return caught.value


def test_dropped_rows_are_counted_with_their_reason_and_the_others_are_taught(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, LONG, LONG + "again"])
    task, _ = fit(tiny, "llama", folder, too_long="drop", cut="message")
    assert len(task.pairs) == len(task.train) == 12 and all(len(pair.prompt) <= 60 for pair in task.pairs)
    assert task.account["train"] == {"read": 14, "used": 12, "set_aside": 2}
    (entry,) = task.account["set_aside"]
    assert (entry["side"], entry["reason"], entry["count"]) == ("train", "prompt too long for the model", 2)
    whole, _ = fit(tiny, "llama", folder, limit=200)
    size = len(prompter_of(tiny("llama"), max_prompt_tokens=1000).prompt(whole.train[12]).ids)
    assert entry["examples"][0] == {"source": "train.jsonl:13", "detail": f"{size} tokens, 60 fit"}


def test_cut_rows_are_shortened_in_the_named_column_and_keep_their_answers(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, LONG], answers={12: "no, it came"})
    task, prompter = fit(tiny, "llama", folder, cut="message")
    prompt, answer, *_ = task.pairs[12]
    assert len(prompt) <= 60 and prompter.text(prompt).endswith("Yes or no?")
    assert answer == prompter.answer("no, it came")
    assert task.account["cut"] == {
        "train": {"prompts cut": 1},
        "validation": {"prompts cut": 0},
        "test": {"prompts cut": 0},
    }
    assert task.account["train"]["set_aside"] == 0


def test_with_error_a_long_row_is_refused_although_it_could_be_cut(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[LONG + str(number) for number in range(5)] + PLAIN, test=[LONG])
    told = refusal(tiny, "llama", folder, too_long="error", cut="message")
    assert "too long for the model: 5 to teach, 1 to judge" in told.what
    received = str(told.received).splitlines()
    assert [line.split(":")[1] for line in received[:3]] == ["1", "2", "3"]
    assert received[0].startswith("train.jsonl:1: prompt of ") and received[0].endswith("tokens, 60 fit")
    assert [line.strip() for line in received[3:]] == ["and 3 more"]
    assert 'too_long = "cut"' in str(told) and "never left out" in str(told)


def test_a_long_row_without_a_column_to_shorten_is_refused_with_both_ways_out(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, LONG])
    told = str(refusal(tiny, "t5", folder))
    assert "train.jsonl:13" in told and 'cut = "…"' in told and 'too_long = "drop"' in told


def test_a_column_too_short_to_help_is_told_as_such(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, "late"])
    wordings = [f"{LONG} {{{{ message }}}}"]
    told = str(refusal(tiny, "t5", folder, cut="message", wordings=wordings))
    assert "Shortening the column message is not enough" in told


@pytest.mark.parametrize("side", ["validation", "test"])
def test_judged_rows_are_never_left_out(tiny: Tiny, folder: Path, side: str) -> None:
    write(folder, train=PLAIN)
    with (folder / f"{side}.jsonl").open("a") as file:
        file.write(json.dumps({"message": LONG, "reply": "yes"}) + "\n")
    told = refusal(tiny, "gpt2", folder, too_long="drop")
    assert "1 to judge" in told.what and "Judged rows are never left out." in str(told)
    assert 'too_long = "drop"' not in str(told)
    task, _ = fit(tiny, "gpt2", folder, too_long="drop", cut="message")
    assert task.account["cut"][side] == {"prompts cut": 1}


@pytest.mark.parametrize(("kind", "part"), [("bart", "answer"), ("gpt2", "prompt and answer")])
def test_answers_beyond_the_model_s_places_are_dropped_or_refused(
    tiny: Tiny, folder: Path, kind: Kind, part: str
) -> None:
    """Both models have 128 places: BART's decoder for the answer alone, GPT-2 for prompt and answer."""
    write(folder, train=PLAIN, answers={3: "lamp " * 120})
    told = refusal(tiny, kind, folder, cut="message")
    assert f"train.jsonl:4: {part} of " in str(told) and "128 fit" in str(told)
    assert "Answers are never cut" in str(told) and 'too_long = "drop"' in str(told)
    task, _ = fit(tiny, kind, folder, too_long="drop")
    assert [entry["reason"] for entry in task.account["set_aside"]] == [f"{part} too long for the model"]
    assert len(task.pairs) == 11


def test_an_answer_that_just_fits_is_taught(tiny: Tiny, folder: Path) -> None:
    """The tokenizer of the tiny GPT-2 writes each digit as one token, so that lengths can be told beforehand."""
    read = len(prompter_of(tiny("gpt2")).prompt(first(tiny, folder)).ids)
    for size, taught in ((128 - read - 1, True), (128 - read, False)):
        write(folder, train=PLAIN[:1] + ["Is it?"], answers={0: "7" * size})
        task, _ = fit(tiny, "gpt2", folder, too_long="drop")
        assert (len(task.pairs) == 2) is taught


def first(tiny: Tiny, folder: Path) -> Any:
    write(folder, train=PLAIN)
    return fit(tiny, "gpt2", folder)[0].train[0]


def test_a_model_that_counts_distances_only_writes_answers_of_any_length(tiny: Tiny, folder: Path) -> None:
    write(folder, train=PLAIN, answers={3: "lamp " * 900})
    task, _ = fit(tiny, "t5", folder)
    assert max(len(pair.answer) for pair in task.pairs) > 900


def test_right_answers_of_judged_rows_must_fit_only_where_they_are_asked_for(tiny: Tiny, folder: Path) -> None:
    write(folder, train=PLAIN)
    (folder / "validation.jsonl").write_text(json.dumps({"message": "Late?", "reply": "lamp " * 120}) + "\n")
    fit(tiny, "gpt2", folder)
    told = refusal(tiny, "gpt2", folder, train={"keep_best_by": "loss"})
    assert "validation.jsonl:1: prompt and answer of" in str(told)
    write(folder, train=PLAIN)
    choices = ["yes", "lamp " * 120]
    told = refusal(tiny, "gpt2", folder, choices=choices, metrics=["accuracy"])
    assert "to judge" in told.what


def test_all_tasks_are_told_together(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, LONG])
    one = study(tiny("t5")).plain()
    both = study_of({**one, "task": [one["task"][0], {**one["task"][0], "name": "more"}]})
    with pytest.raises(Problems) as caught:
        encode(read_tasks(both, folder=folder, strict=False), prompter_of(tiny("t5"), max_prompt_tokens=60), both)
    assert "[[task]] chats" in str(caught.value) and "[[task]] more" in str(caught.value)


def test_nothing_left_to_teach_is_refused(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[LONG, LONG + "again"])
    told = refusal(tiny, "t5", folder, too_long="drop")
    assert "no teaching row is left" in told.what and "2 × prompt too long for the model" in str(told.received)


def test_a_batch_that_no_row_fits_is_refused_and_one_that_some_do_not_is_noted(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[*PLAIN, LONG])
    task, _ = fit(tiny, "llama", folder, limit=200)
    lengths = sorted(len(pair.prompt) + len(pair.answer) for pair in task.pairs)
    told = refusal(tiny, "llama", folder, limit=200, train={"token_budget": lengths[0] - 1})
    assert told.where == "[train] token_budget"
    assert f"at least {lengths[-1]}, the longest row" in str(told)
    fit(tiny, "llama", folder, limit=200, train={"token_budget": lengths[0]})
    task, _ = fit(tiny, "llama", folder, limit=200, train={"token_budget": lengths[-2]})
    (note,) = [note for note in task.account["notes"] if "token_budget" in note]
    assert note.endswith(": 1 teaching row")
    task, _ = fit(tiny, "llama", folder, limit=200, train={"token_budget": lengths[-1]})
    assert not [note for note in task.account["notes"] if "token_budget" in note]


@pytest.mark.parametrize(("kind", "limit", "new"), [("gpt2", 120, 9), ("bart", 129, 8), ("bart", 60, 129)])
def test_limits_that_the_model_has_no_places_for_are_refused(
    tiny: Tiny, folder: Path, kind: Kind, limit: int, new: int
) -> None:
    write(folder, train=PLAIN)
    told = refusal(tiny, kind, folder, limit=limit, new=new)
    assert "places for 128 tokens" in told.what and f"{limit} and {new}" in str(told)
    fit(tiny, kind, folder, limit=min(limit, 120), new=8)


def test_a_refused_run_has_loaded_no_model_and_written_nothing(
    tiny: Tiny, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, train=[*PLAIN, LONG])

    def loaded(*_: Any, **__: Any) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("afters.model.load._module", loaded)
    with pytest.raises(InputError, match="too long for the model"):
        run(study(tiny("t5")), out=folder / "run", folder=folder)
    assert not (folder / "run").exists()


def test_the_run_its_page_and_the_preview_tell_the_same_rows(tiny: Tiny, folder: Path) -> None:
    write(folder, train=[LONG, *PLAIN], test=[LONG + "now", "Is it so?"])
    said = Console(width=200, record=True, file=io.StringIO())
    asked = study(tiny("llama"), too_long="drop", cut="message")
    show(preview(asked, folder=folder), rows=1, console=said)
    shown = said.export_text()
    assert "rows set aside  train 1 of 13" in shown and "prompt too long for the model" in shown
    assert "train.jsonl:1 (" in shown and "prompts cut  test 1 of 2" in shown
    run(asked, out=folder / "run", folder=folder)
    account = json.loads((folder / "run" / "data.json").read_text())["chats"]
    assert account["set_aside"][0]["count"] == 1 and account["cut"]["test"] == {"prompts cut": 1}
    page = (folder / "run" / "report.html").read_text()
    assert "prompt too long for the model" in page and "Prompts cut" in page
