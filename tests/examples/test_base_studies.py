"""The four studies that make afters-tiny: they can be read, and their templates ask their rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

from afters.config import read_study
from afters.data.task import prepare
from afters.model.load import prompter_of
from afters.study.fitting import encode
from afters.study.mixing import lessons_of
from afters.study.reading import read_tasks
from examples.base import begin, longer, overlap, write
from examples.base.generated.tasks import TASKS, row
from examples.base.generated.words import Side
from examples.base.readers import READERS, halves

BASE = Path(write.__file__).parent
STUDIES = ("short", "prose", "mixture", "longer")

PASSAGE = "Boat {} was late that night, and when it came in nobody stood on the quay but a boy with a lamp."

MADE: dict[str, dict[str, Any]] = {
    "intent": {"text": "Where is card {}?", "options": ["card arrival", "change pin"], "answer": "card arrival"},
    "commonsense": {
        "question": "Where does boat {} sleep?",
        "choices": {"label": [*"ABCDE"], "text": ["harbour", "oven", "cup", "bed", "cloud"]},
        "answerKey": "A",
    },
    "cause": {
        "premise": "Pond {} froze.",
        "choice1": "It was cold.",
        "choice2": "It sang.",
        "question": "cause",
        "label": 0,
    },
    "claims": {"claim": "Boat {} can swim.", "answer": "yes", "reason": "Boats float."},
    "science": {
        "question": "What has sheep {}?",
        "choices": ["wool", "wheels"],
        "answer": "wool",
        "facts": "Sheep have wool.",
    },
    "arithmetic_stories": {
        "question": "Ann has {} eggs and eats none. How many?",
        "steps": "None is eaten.",
        "answer": "1",
    },
    "toxicity": {"text": "You are a kind sailor {}", "toxicity": 0.0, "pattern": "you_are_adj", "term": "sailor"},
    "instructions": {"instruction": "Name colour {}.", "input": "", "output": "red"},
    "parts": {"whole": "boat {}", "part": "sail"},
    "prose": halves(PASSAGE),
    **{name: {"prompt": "Repeat: {}", "text": "{}", "answer": "{}"} for name in ("copying", "short")},
}
"""Rows as the readers make them, with a place for a number."""


def made(name: str, side: Side, count: int) -> list[dict[str, Any]]:
    if name in TASKS:
        return [dict(row(name, side, index, seed=1)) for index in range(count)]
    numbers = range(count) if side == "taught" else range(1000, 1000 + count)
    return [json.loads(json.dumps(MADE[name]).replace("{}", str(number))) for number in numbers]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place: Path = tmp_path_factory.mktemp("base")
    (place / "templates").symlink_to(BASE / "templates")
    (place / "rows").mkdir()
    for name in (*MADE, *TASKS):
        for ending, side, count in ((".train", "taught", 40), (".test", "judged", 12), ("", "taught", 40)):
            lines = [json.dumps(found) for found in made(name, side, count)]  # type: ignore[arg-type]
            (place / "rows" / f"{name}{ending}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return place


def test_made_up_rows_stand_for_every_reader() -> None:
    assert {*MADE} == {*READERS, "copying", "short"}


@pytest.mark.parametrize("name", STUDIES)
def test_every_task_of_a_study_is_asked_as_it_says(name: str, folder: Path) -> None:
    study = read_study(BASE / f"{name}.toml")
    for task in study.tasks:
        prepared = prepare(task, seed=1, folder=folder)
        assert prepared.account["train"]["used"] > 20, (task.name, prepared.account)
        for example in (*prepared.train, *prepared.test):
            assert example.references[0].strip(), example


def test_the_mixture_holds_everything_that_is_written() -> None:
    files = {file for task in read_study(BASE / "mixture.toml").tasks for file in task.files().values()}
    taught = {file.removeprefix("rows/").split(".")[0] for file in files}
    assert taught == {*READERS, *TASKS, "copying"}


def test_generated_rows_are_written_with_a_judging_side_of_their_own() -> None:
    files = {file: [*rows] for file, rows in write.generated("question", share=0.0002).items()}
    assert [*files] == ["question.train", "question.test"]
    assert len(files["question.train"]) == 4 and len(files["question.test"]) == write.JUDGED


def test_a_teaching_row_that_shares_a_long_run_with_a_judged_one_is_not_written(tmp_path: Path) -> None:
    long = PASSAGE.format(1)
    judged = overlap.Runs([[f"They say that {long.lower()}"]])
    rows = [{"text": long}, {"text": "Boat 1 was late that night."}, {"text": PASSAGE.format(2).split(", ")[0]}]
    write.write(tmp_path / "rows.jsonl", rows, judged=judged)
    assert [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()] == rows[1:]
    write.write(tmp_path / "rows.jsonl", rows, judged=None)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def small(folder: Path, out: Path) -> None:
    shape = {"vocab_size": 600, "num_layers": 1, "num_decoder_layers": 1}
    begin.begin(folder / "rows", out, config=T5Config(**{**begin.shape().to_dict(), **shape}))


def test_the_first_model_is_a_base_that_plain_transformers_loads(folder: Path, tmp_path: Path) -> None:
    small(folder, tmp_path)
    assert T5ForConditionalGeneration.from_pretrained(tmp_path).config.d_model == begin.shape().d_model
    text = "Anna: It costs £3.50.\n  Really?"
    ids = AutoTokenizer.from_pretrained(tmp_path)(text, add_special_tokens=False).input_ids
    assert AutoTokenizer.from_pretrained(tmp_path).decode(ids) == text


def test_what_was_prepared_is_taught_as_the_study_would_teach_it(folder: Path, tmp_path: Path) -> None:
    small(folder, tmp_path / "base")
    text = (BASE / "longer.toml").read_text(encoding="utf-8").replace("../../runs/base/mixture/model", "base")
    fewer = {"rows = 900000": "rows = 480", "epochs = 0.3396": "epochs = 0.1", "batch_rows = 256": "batch_rows = 16"}
    for old, new in {**fewer, "token_budget = 131072": "token_budget = 4096"}.items():
        assert text.count(f"\n{old}\n") == 1
        text = text.replace(f"\n{old}\n", f"\n{new}\n")
    # Those that are split by content have too few rows here for three sides.
    blocks = [block for block in text.split("[[task]]") if "source = " not in block]
    for name in ("templates", "rows"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "longer.toml").write_text("[[task]]".join(blocks), encoding="utf-8")
    longer.prepare(tmp_path / "out", study_file=tmp_path / "longer.toml")

    study = read_study(tmp_path / "longer.toml")
    prompter = prompter_of(tmp_path / "base", max_prompt_tokens=512, max_new_tokens=study.judge.max_new_tokens)
    tasks = read_tasks(study, folder=tmp_path, strict=False)
    encode(tasks, prompter, study)
    lessons = lessons_of(tasks, study.mixture, prompter=prompter, seed=study.seed)
    with np.load(tmp_path / "out" / longer.STREAM) as told:
        stream = longer.Prepared(told["ids"], told["ends"], told["taught"], tuple(told["tasks"].tolist()))
    places = np.arange(480)[::-1]
    assert (stream.rows, stream.tasks) == (lessons.rows, lessons.tasks) == (480, tuple(task.name for task in tasks))
    found = [(tuple(pair.prompt), tuple(pair.answer), pair.task) for pair in stream.pairs(places)]
    assert found == [(tuple(pair.prompt), tuple(pair.answer), pair.task) for pair in lessons.pairs(places)]
    assert stream.lengths(places).tolist() == [[len(prompt), len(answer)] for prompt, answer, _ in found]

    longer.teach(tmp_path / "out", study_file=tmp_path / "longer.toml")
    steps = [json.loads(line) for line in (tmp_path / "out/train/steps.jsonl").read_text().splitlines()]
    assert [step["rows"] for step in steps] == [16, 16, 16]
    taught, before = (T5ForConditionalGeneration.from_pretrained(tmp_path / name) for name in ("out/model", "base"))
    assert not taught.shared.weight.equal(before.shared.weight)
    assert len(AutoTokenizer.from_pretrained(tmp_path / "out/model")) == 600


def test_the_shape_fits_into_sixteen_megabytes() -> None:
    weights = sum(weight.numel() for weight in T5ForConditionalGeneration(begin.shape()).parameters())
    assert 2 * weights <= 16_000_000
