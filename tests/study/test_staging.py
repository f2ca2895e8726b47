"""Tasks that are taught one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tickets import Killed, Killer, tasks_of
from tiny_models import Tiny

from afters.compare.stages import Staged, stages
from afters.config import study_of
from afters.errors import InputError
from afters.model import files
from afters.report.document import build
from afters.report.export import model_card
from afters.report.page import render
from afters.runfolder import RunFolder
from afters.study.run import run
from afters.study.settings import Study

SIZES = {"first": 30, "second": 24}


def study(folder: Path, base: Path, **changes: Any) -> Study:
    tasks = [{**task, "metrics": ["rouge"], "primary": "rouge1"} for task in tasks_of(folder, SIZES)]
    (folder / "words.jsonl").write_text("".join(json.dumps({"word": f"w{n}"}) + "\n" for n in range(20)))
    kept = {"name": "words", "test": "words.jsonl", "wordings": ["Say {{ word }}"], "answer": "{{ word }}"}
    settings: dict[str, Any] = {
        "name": "staged",
        "seed": 3,
        "model": {"base": str(base), "precision": "fp32"},
        "task": tasks,
        "before": {"shots": [0], "nearest": False},
        "train": {"epochs": 2, "batch_rows": 6, "learning_rate": 0.02, "validations": 1},
        "judge": {"max_new_tokens": 6},
        "stage": [
            {"task": "second"},
            {"task": "first", "train": {"epochs": 1, "batch_rows": 6, "learning_rate": 0.02}},
        ],
        "keep": {"task": [{**kept, "metrics": ["rouge"]}]},
    }
    return study_of({**settings, **changes})


def test_every_task_is_asked_after_every_stage(tmp_path: Path, tiny: Tiny) -> None:
    told = run(study(tmp_path, tiny("t5")), out=tmp_path / "run", folder=tmp_path)
    assert told.stages is not None
    found = told.stages
    assert (found.tasks, found.taught) == (("second", "first", "words"), 2)
    results = RunFolder(tmp_path / "run").results()
    labels = ("before", "other=stage-1", "after")
    matrix = [[results[task][label].score("rouge1").value for task in found.tasks] for label in labels]
    for row, expected in zip(found.made.matrix, matrix, strict=True):
        assert row == pytest.approx(expected)
    assert found.made == stages(found.made.matrix)
    assert {*found.measures} == {"average", "backward_transfer", "forward_transfer", "forgetting", "general_change"}
    assert all(one.low <= one.value <= one.high for one in found.measures.values())
    verdict = json.loads((tmp_path / "run/verdict.json").read_text())
    assert Staged.read(verdict["stages"]).tasks == found.tasks
    for form in (render(build(told)), model_card(told, base="tiny")):
        assert "Backward transfer" in form


def test_a_stage_goes_on_from_the_last_ones_model_and_teaches_its_own_task(tmp_path: Path, tiny: Tiny) -> None:
    run(study(tmp_path, tiny("t5")), out=tmp_path / "run", folder=tmp_path)
    first, last = RunFolder(tmp_path / "run/others/stage-1"), RunFolder(tmp_path / "run")
    assert last.read_json("train/key.json")["base weights"] == files.weights_hash(first.model)
    assert first.read_json("train/key.json")["base weights"] == files.weights_hash(tiny("t5"))
    assert sum(step["rows"] for step in first.steps()) == 2 * SIZES["second"]
    assert sum(step["rows"] for step in last.steps()) == SIZES["first"]


@pytest.mark.parametrize("stage", ["teaching stage-1", "teaching", "first: other=stage-1"])
def test_an_interrupted_run_in_stages_comes_to_the_same_verdict(tmp_path: Path, tiny: Tiny, stage: str) -> None:
    run(study(tmp_path, tiny("t5")), out=tmp_path / "whole", folder=tmp_path)
    with pytest.raises(Killed):
        run(study(tmp_path, tiny("t5")), out=tmp_path / "broken", folder=tmp_path, tell=Killer(stage))
    run(study(tmp_path, tiny("t5")), out=tmp_path / "broken", folder=tmp_path)
    assert (tmp_path / "broken/verdict.json").read_bytes() == (tmp_path / "whole/verdict.json").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"stage": [{"task": "first"}]}, "each task has one, and there are 'first', 'second'"),
        ({"stage": [{"task": "first"}, {"task": "third"}]}, "each task has one"),
        ({"mend": {"interpolate": [0.5]}}, "neither train.rows nor mend"),
        ({"train": {"method": "lora"}}, "goes on from the last one's weights"),
        (
            {"stage": [{"task": "first", "train": {"method": "lora"}}, {"task": "second"}]},
            "goes on from the last one's weights",
        ),
    ],
)
def test_stages_that_cannot_be_taught_are_refused(
    tmp_path: Path, tiny: Tiny, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        study(tmp_path, tiny("t5"), **changes)


def test_a_score_of_which_less_is_better_has_no_place_in_the_matrix(tmp_path: Path, tiny: Tiny) -> None:
    settings = study(tmp_path, tiny("t5")).plain()
    for task in settings["task"]:
        task |= {"metrics": ["ter"], "primary": "ter"}
    with pytest.raises(InputError, match="a score on a scale is wanted"):
        run(study_of(settings), out=tmp_path / "run", folder=tmp_path)
