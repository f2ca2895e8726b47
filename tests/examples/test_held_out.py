"""The studies that are written from Natural Instructions, and what is told of two models' answers to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Tiny

from afters.config import read_study
from afters.data.task import prepare
from afters.study.judging import judge
from afters.study.run import run
from examples.natural_instructions.studies import write
from examples.natural_instructions.together import COLUMNS, lines, over_tasks, table

SMALL = (
    *("train.epochs=1", "train.batch_rows=8", "train.validations=1", "judge.max_new_tokens=4"),
    "keep.tasks=[]",
)


def task(
    name: str, count: int, *, definition: str = "", category: str = "Textual Entailment", language: str = "English"
) -> dict[str, Any]:
    """Return a task whose every row has the answer "yes", "no" or "perhaps"."""
    said = [f"{name} of number {number}. Is it so?" for number in range(count)]
    return {
        "Definition": [definition or f"Say whether {name} is so."],
        "Categories": [category],
        "Input_language": ["English"],
        "Output_language": [language],
        "Positive Examples": [],
        "Instances": [
            {"id": f"{name}-{number}", "input": text, "output": [("yes", "yes", "no", "perhaps")[number % 4]]}
            for number, text in enumerate(said)
        ],
    }


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection of two tasks to teach and two that are held out, one of them with no more than the official rows."""
    folder = tmp_path / "collection"
    (folder / "tasks").mkdir(parents=True)
    (folder / "splits" / "default").mkdir(parents=True)
    made = {
        "task1_one": task("one", 130),
        "task2_two": task("two", 130),
        "task3_three": task("three", 120),
        "task4_four": task("four", 100, category="Word Analogy", definition='Say "four", {{ or }} not?\nSo.'),
        "task5_fuenf": task("five", 130, language="German"),
    }
    for name, content in made.items():
        (folder / "tasks" / f"{name}.json").write_text(json.dumps(content))
    lists = folder / "splits" / "default"
    (lists / "train_tasks.txt").write_text("task1_one\ntask2_two\ntask5_fuenf\ntask9_elsewhere\n")
    (lists / "test_tasks.txt").write_text("task3_three\ntask4_four\n")
    return folder


def test_the_studies_hold_the_english_tasks_that_are_there_each_in_its_place(collection: Path, tmp_path: Path) -> None:
    out = tmp_path / "studies"
    made = {"teaching.toml": (2, 1), "held-out.toml": (2, 0), "other-definitions.toml": (2, 0)}
    assert {path.name: counts for path, *counts in write(collection, out)} == {name: [*of] for name, of in made.items()}
    teaching, held_out = read_study(out / "teaching.toml"), read_study(out / "held-out.toml")
    assert [one.name for one in teaching.tasks] == ["task1_one", "task2_two"]
    assert [one.name for one in held_out.tasks] == ["task3_three", "task4_four"]
    assert all(one.teaches for one in teaching.tasks) and not any(one.teaches for one in held_out.tasks)
    misled = read_study(out / "other-definitions.toml")
    for one, other in zip(held_out.tasks, misled.tasks, strict=True):
        usual, changed = prepare(one, seed=7, folder=out), prepare(other, seed=7, folder=out)
        assert len(usual.test) == 100 and usual.primary == changed.primary
        assert [example.references for example in usual.test] == [example.references for example in changed.test]
    # The same prompt to the letter, but for what is asked.
    told = {"three": "Say whether three is so.", "four": 'Say "four", {{ or }} not?\nSo.'}
    asked = prepare(misled.tasks[0], seed=7, folder=out).test[0].prompt
    assert told["four"] in asked
    assert asked.replace(told["four"], told["three"]) == prepare(held_out.tasks[0], seed=7, folder=out).test[0].prompt


def test_a_model_taught_by_the_one_is_held_against_its_base_on_the_other(
    collection: Path, tmp_path: Path, tiny: Tiny
) -> None:
    out = tmp_path / "studies"
    list(write(collection, out))
    run(
        read_study(out / "teaching.toml", changes=(*SMALL, f"model.base={tiny('t5')}")),
        out=tmp_path / "taught",
        folder=out,
    )
    taught = tmp_path / "taught" / "model"
    for name, model, study in (
        ("base", tiny("t5"), "held-out"),
        ("tuned", taught, "held-out"),
        ("misled", taught, "other-definitions"),
    ):
        judge(str(model), read_study(out / f"{study}.toml", changes=SMALL), out=tmp_path / name, folder=out)
    found = lines(tmp_path / "base", tmp_path / "tuned", tmp_path / "misled")
    assert [line.found.task for line in found] == ["task3_three", "task4_four"]
    for line in found:
        scores = dict(zip(COLUMNS, line.scores, strict=True))
        assert (line.found.metric, line.found.cases, scores["most frequent"]) == ("exact_match", 100, 0.5)
        assert scores["first sentence"] == 0
        assert (scores["before"], scores["after"]) == (line.found.before_value, line.found.after_value)
    told = table(found)
    assert "| mean of 2 tasks | | |" in told and "After against most frequent: " in told


def test_the_interval_of_a_mean_over_tasks_is_that_of_the_tasks() -> None:
    assert over_tasks([0.25] * 7) == (0.25, 0.25, 0.25)
    mean = over_tasks([0.0, 0.0, 0.0, 1.0] * 25)
    assert mean.value == 0.25
    # 1.96 standard errors of a share of a quarter of a hundred.
    assert mean.low == pytest.approx(0.25 - 0.085, abs=0.01) and mean.high == pytest.approx(0.25 + 0.085, abs=0.01)


@pytest.mark.data
def test_the_studies_of_the_collection_at_hand_can_be_used(data_folder: Path, tmp_path: Path) -> None:
    made = {path.stem: tasks for path, tasks, _ in write(data_folder / "natural_instructions", tmp_path)}
    assert made == {"teaching": 44, "held-out": 19, "other-definitions": 19}
    teaching, held_out = read_study(tmp_path / "teaching.toml"), read_study(tmp_path / "held-out.toml")
    assert not {one.name for one in teaching.tasks} & {one.name for one in held_out.tasks}
    judged = [prepare(one, seed=7, folder=tmp_path) for one in held_out.tasks]
    misled = [prepare(one, seed=7, folder=tmp_path) for one in read_study(tmp_path / "other-definitions.toml").tasks]
    assert not any(one.test[0].prompt == other.test[0].prompt for one, other in zip(judged, misled, strict=True))
    assert all((len(one.train), len(one.test)) == (0, 100) for one in judged)
    decided = [one.primary for one in judged]
    assert (decided.count("exact_match"), decided.count("rougeL")) == (3, 16)
    taught = prepare(teaching.tasks[0], seed=7, folder=tmp_path)
    assert len(taught.train) > 100 and len(taught.test) == 5
