"""The mixture of twenty tasks, the same tasks alone, and the table of both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tickets import write_colours
from tiny_models import Tiny

from afters.config import read_study, study_of
from afters.study.run import run
from examples.twenty_tasks.alone import MIXTURE, alone, folder_of
from examples.twenty_tasks.told import lines, table


def test_the_mixture_has_twenty_tasks_and_limits_that_leave_fifty_thousand_rows() -> None:
    tasks = read_study(MIXTURE).tasks
    assert len({task.name for task in tasks}) == 20
    assert sum(task.train_limit or 2_800 for task in tasks) >= 50_000  # the demo's chats are 2,800


def test_each_task_alone_is_taught_and_judged_as_in_the_mixture() -> None:
    mixture = read_study(MIXTURE)
    studies = list(alone(mixture))
    assert [study.tasks for study in studies] == [(task,) for task in mixture.tasks]
    assert {study.train for study in studies} == {mixture.train} and studies[0].judge == mixture.judge


def test_the_table_sets_each_task_alone_beside_the_mixture(tmp_path: Path, tiny: Tiny) -> None:
    tasks = []
    for name in ("first one", "second"):
        rows = [{"n": number, "even": ("yes", "no")[number % 2]} for number in range(60)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        choices = {"answer": "{{ even }}", "choices": ["yes", "no"], "metrics": ["accuracy"], "train_limit": 40}
        tasks.append(
            {"name": name, "source": f"{name}.jsonl", "wordings": [f"{name}: is {{{{ n }}}} even?"], **choices}
        )
    write_colours(tmp_path, rows=30)
    kept = {
        **{"name": "colours", "test": "colours.jsonl", "wordings": ["What colour is {{ thing }}?"]},
        **{"answer": "{{ colour }}", "choices": ["red", "blue"], "metrics": ["accuracy"]},
    }
    study = study_of(
        {
            **{"name": "mixture", "seed": 3, "task": tasks, "keep": {"task": [kept]}},
            "model": {"base": str(tiny("t5")), "precision": "fp32"},
            "before": {"shots": [0], "nearest": False},
            "train": {"epochs": 1, "batch_rows": 8, "validations": 1},
        }
    )
    for one in (study, *alone(study)):
        run(one, out=tmp_path / "runs" / one.name, folder=tmp_path)
    found = list(lines(tmp_path / "runs", ["first one", "second"]))
    assert [line.rows for line in found] == [40, 40]
    for line in found:
        assert line.against.before_value == pytest.approx(line.alone.after_value)
        assert line.against.after_value == pytest.approx(line.together.after_value)
        assert line.alone.before_value == pytest.approx(line.together.before_value)
    told = table(found).splitlines()
    [colours] = json.loads((tmp_path / "runs" / "first-one" / "verdict.json").read_text())["kept"]
    change = colours["comparison"]["after_value"] - colours["comparison"]["before_value"]
    assert told[2].startswith("| first one | 40 | accuracy |")
    assert told[2].endswith(f"| {int(colours['word'] == 'lost')} of 1, {change:+.2f} |")
    assert told[-1].startswith("Together less alone: ")
    assert folder_of("first one") == "first-one"
