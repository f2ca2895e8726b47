"""How many rows it takes: the base is taught anew with fewer of them, goes on after a kill, and changes no verdict."""

from __future__ import annotations

import doctest
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from several_processes import launched
from tickets import STUDY, Killed, Killer, Listener, tasks_of, tickets
from tiny_models import Tiny

from afters.config import read_study, study_of
from afters.errors import InputError
from afters.model.parallel import ALONE
from afters.report.document import build
from afters.report.export import verdict_json
from afters.report.page import render
from afters.runfolder import RunFolder
from afters.study import fewer_rows
from afters.study import run as whole
from afters.study.fewer_rows import shares, smaller
from afters.study.mixing import lessons_of
from afters.study.run import _open, run
from afters.study.settings import Study
from afters.study.work import Silent, Work
from afters.testing import ScriptedModel

SIZES = {"parcels": 40, "lamps": 10}


def study(folder: Path, base: Path, *changes: str) -> Study:
    """Sixty messages for two teams; 45 of them teach, 9 validate and 6 judge."""
    return read_study(tickets(folder, base=base), changes=changes)


def judging(folder: Path, base: Path, *changes: str) -> Study:
    """Twenty rows that teach, two that validate, and forty that judge."""
    (folder / "study.toml").write_text(
        STUDY.format(base=base).replace(
            'source = "tickets.csv"', 'train = "a.csv"\nvalidation = "b.csv"\ntest = "c.csv"'
        )
    )
    for side, numbers in {"a": range(20), "b": range(20, 22), "c": range(100, 140)}.items():
        lines = [f"Message {number},{'ab'[number % 2]}" for number in numbers]
        (folder / f"{side}.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    return read_study(folder / "study.toml", changes=changes)


def two_tasks(folder: Path, base: Path, **settings: Any) -> Study:
    tasks = tasks_of(folder, SIZES)
    model = {"base": str(base), "precision": "fp32"}
    quick = {"before": {"shots": [0], "nearest": False}, "judge": {"max_new_tokens": 4}, "keep": {"tasks": []}}
    return study_of({"name": "two", "seed": 3, "model": model, "task": tasks, **quick, **settings})


def opened(chosen: Study, folder: Path, *, tell: Silent | None = None) -> Work:
    return _open(chosen, RunFolder(folder / "run"), ALONE, files_in=folder, strict=False, tell=tell or Silent())


def scripted(right: int) -> ScriptedModel:
    """A model that answers the first so many of the forty judged messages right."""

    def answer(prompt: str) -> str:
        number = int("".join(filter(str.isdigit, prompt)))
        return "ab"[number % 2] if number - 100 < right else "neither"

    return ScriptedModel(answer, name=f"right {right}")


# Which rows


def test_a_larger_number_has_all_rows_of_a_smaller_one_as_the_whole_has_them(tmp_path: Path, tiny: Tiny) -> None:
    work = opened(study(tmp_path, tiny("t5"), "train.rows=[20, 5, 0, 12]"), tmp_path)
    parts = smaller(work)
    assert [(part.fewer, part.rows) for part in parts] == [(5, 5), (12, 12), (20, 20)] and work.fewer is None
    (task,) = work.tasks
    known = dict(zip(task.train.ids, task.pairs, strict=True))
    ids = [set(part.tasks[0].train.ids) for part in (*parts, work)]
    assert all(less < more for less, more in zip(ids, ids[1:], strict=False))
    for part in parts:
        (fewer,) = part.tasks
        assert list(fewer.pairs) == [known[name] for name in fewer.train.ids]
        assert fewer.rows_a_pass == len(fewer.train) and fewer.test is task.test


def test_of_several_tasks_each_keeps_its_share_and_at_least_a_row() -> None:
    assert doctest.testmod(fewer_rows) == (0, 1)
    assert shares(2, [1000, 1]) == [1, 1] and shares(1001, [1000, 1]) == [1000, 1]
    assert shares(8, [40, 20, 20]) == [4, 2, 2]
    sizes = [37, 5, 11, 1]
    every = [shares(rows, sizes) for rows in range(4, sum(sizes) + 1)]
    assert [sum(each) for each in every] == list(range(4, sum(sizes) + 1)) and every[-1] == sizes
    assert all(min(each) >= 1 for each in every)
    for less, more in zip(every, every[1:], strict=False):
        assert all(one <= other for one, other in zip(less, more, strict=True)), "a task would lose a row"


def test_a_mixture_keeps_its_proportions_and_its_passes_get_shorter(tmp_path: Path, tiny: Tiny) -> None:
    work = opened(two_tasks(tmp_path, tiny("t5"), mixture={"cap": 20}, train={"rows": [25]}), tmp_path)
    (part,) = smaller(work)
    assert [len(task.train) for task in part.tasks] == [20, 5]
    assert [task.rows_a_pass for task in work.tasks] == [20, 10]
    assert [task.rows_a_pass for task in part.tasks] == [10, 5]
    lessons = lessons_of(part.tasks, part.study.mixture, prompter=part.prompter, seed=part.study.seed)
    taught = {pair[:2] for pair in lessons.pairs(np.arange(60))}
    assert taught == {pair[:2] for task in part.tasks for pair in task.pairs}


def test_numbers_that_cannot_be_used_are_refused_before_anything_is_read(tmp_path: Path, tiny: Tiny) -> None:
    for wrong in ("[-1]", "[2.5]", '["all"]', "10"):
        with pytest.raises(InputError, match="train.rows"):
            study(tmp_path, tiny("t5"), f"train.rows={wrong}")
    with pytest.raises(InputError, match="each of 2 tasks needs a row, and 1 are too few"):
        two_tasks(tmp_path, tiny("t5"), train={"rows": [0, 1, 30]})
    assert study(tmp_path, tiny("t5"), "train.rows=[9, 3, 9, 0]").train.rows == (0, 3, 9)


def test_numbers_beyond_the_rows_are_told_and_left_out_and_all_of_them_are_no_smaller_number(
    tmp_path: Path, tiny: Tiny
) -> None:
    listener = Listener()
    work = opened(study(tmp_path, tiny("t5"), "train.rows=[9, 45, 1000]"), tmp_path, tell=listener)
    assert [part.fewer for part in smaller(work)] == [9]
    assert "the base is taught anew with 9 of 45 rows as well" in listener.said
    assert "[train] rows = 1,000: there are 45 teaching rows, so it is left out" in listener.said


# The whole way


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[int | None, ScriptedModel]:
    """Of forty rows the base answers 10 right, after 4 rows 22 are, after 10 rows 25, and after all twenty 30."""
    made = {0: scripted(10), 4: scripted(22), 10: scripted(25), None: scripted(30)}
    monkeypatch.setattr(whole, "base_model", lambda work: made[0])
    monkeypatch.setattr(whole, "tuned_model", lambda work: made[work.fewer])
    return made


def test_each_number_has_its_score_and_its_share_of_the_gain(
    tmp_path: Path, tiny: Tiny, models: dict[int | None, ScriptedModel]
) -> None:
    told = run(judging(tmp_path, tiny("t5"), "train.rows=[4, 10]"), out=tmp_path / "run", folder=tmp_path)
    (found,) = told.rows
    assert [(one.rows, one.value) for one in found.each] == [(0, 0.25), (4, 0.55), (10, 0.625), (20, 0.75)]
    # 12, 15 and 20 of the 20 that are gained.
    assert [found.share(one) for one in found.each] == pytest.approx([0, 0.6, 0.75, 1])
    assert found.whole.gain.value == told.headline.difference and found.whole.gain.low == told.headline.low
    assert found.last is not None and found.last.value == pytest.approx(5 / 40)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "10 of 20 rows gave 75 % of the gain in exact_match." in page
    assert "After, with fewer rows" in page and "Training, with fewer rows" in page
    assert told.costs["training, with fewer rows_seconds"] > 0 and "rows=" not in page.replace("train.rows=", "")


def test_the_verdict_and_all_that_is_told_beside_are_those_of_all_rows(
    tmp_path: Path, tiny: Tiny, models: dict[int | None, ScriptedModel]
) -> None:
    alone = run(judging(tmp_path, tiny("t5")), out=tmp_path / "alone", folder=tmp_path)
    told = run(judging(tmp_path, tiny("t5"), "train.rows=[4, 10]"), out=tmp_path / "run", folder=tmp_path)
    assert told.comparisons == alone.comparisons and alone.rows == ()
    assert [result.label for result in told.results] == [result.label for result in alone.results]
    assert len(told.steps) == len(alone.steps)


def test_the_page_and_the_verdict_are_built_again_from_the_folder(
    tmp_path: Path, tiny: Tiny, models: dict[int | None, ScriptedModel]
) -> None:
    run(judging(tmp_path, tiny("t5"), "train.rows=[0, 4]"), out=tmp_path / "run", folder=tmp_path)
    stands = RunFolder.opened(tmp_path / "run").told()
    assert render(build(stands)) == (tmp_path / "run" / "report.html").read_text()
    assert verdict_json(stands) == (tmp_path / "run" / "verdict.json").read_text()


def test_asked_later_it_teaches_the_smaller_numbers_alone(
    tmp_path: Path, tiny: Tiny, models: dict[int | None, ScriptedModel]
) -> None:
    run(judging(tmp_path, tiny("t5")), out=tmp_path / "run", folder=tmp_path)
    asked = len(models[None].asked)
    run(judging(tmp_path, tiny("t5"), "train.rows=[4]"), out=tmp_path / "run", folder=tmp_path, tell=Killer("teaching"))
    assert len(models[None].asked) == asked and len(models[4].asked) == 40
    assert [path.name for path in (tmp_path / "run" / "rows").iterdir()] == ["4"]
    again = run(judging(tmp_path, tiny("t5")), out=tmp_path / "run", folder=tmp_path)
    assert again.rows == () and "training, with fewer rows_seconds" not in again.costs


def test_the_base_alone_is_a_number_and_takes_no_work(
    tmp_path: Path, tiny: Tiny, models: dict[int | None, ScriptedModel]
) -> None:
    told = run(judging(tmp_path, tiny("t5"), "train.rows=[0]"), out=tmp_path / "run", folder=tmp_path)
    assert [one.rows for one in told.rows[0].each] == [0, 20] and told.rows[0].last is None
    assert not (tmp_path / "run" / "rows").exists()


def test_real_models_are_taught_with_their_own_rows_in_fewer_steps(tmp_path: Path, tiny: Tiny) -> None:
    told = run(
        study(tmp_path, tiny("llama"), "train.rows=[9, 3]", "train.method=lora"), out=tmp_path / "run", folder=tmp_path
    )
    folder = RunFolder(tmp_path / "run")
    # Two passes in steps of at most four rows.
    steps = {rows: math.ceil(2 * rows / min(rows, 4)) for rows in (3, 9)}
    assert {rows: len(folder.at(rows).steps()) for rows in (3, 9)} == steps and len(told.steps) == 23
    weights = [
        (path / "model" / "adapter_model.safetensors").read_bytes()
        for path in (folder.path, folder.at(3).path, folder.at(9).path)
    ]
    assert len(set(weights)) == 3
    results = folder.results()["tickets"]
    assert len({results[label].identity["adapter"] for label in ("rows=3", "rows=9", "after")}) == 3


def test_two_tasks_taught_together_have_a_curve_each(tmp_path: Path, tiny: Tiny) -> None:
    quick = {"rows": [25], "epochs": 1, "batch_rows": 10, "validations": 1}
    told = run(two_tasks(tmp_path, tiny("t5"), train=quick), out=tmp_path / "run", folder=tmp_path)
    assert [(found.task, [one.own_rows for one in found.each]) for found in told.rows] == [
        ("parcels", [0, 20, 40]),
        ("lamps", [0, 5, 10]),
    ]
    assert "Of this task" in (tmp_path / "run" / "report.html").read_text()


# Killed, and in several processes


@pytest.mark.parametrize(("stage", "after"), [("teaching 12 rows", 4), ("tickets: rows=12", 1)])
def test_a_run_killed_within_a_smaller_number_goes_on_there(tmp_path: Path, tiny: Tiny, stage: str, after: int) -> None:
    settings = study(tmp_path, tiny("t5"), "train.rows=[5, 12]")
    run(settings, out=tmp_path / "whole", folder=tmp_path)
    with pytest.raises(Killed):
        run(settings, out=tmp_path / "broken", folder=tmp_path, tell=Killer(stage, after=after))
    done = [tmp_path / "broken" / "model", tmp_path / "broken" / "rows" / "5" / "model"]
    times = [(path / "model.safetensors").stat().st_mtime_ns for path in done]
    assert (tmp_path / "broken" / "rows" / "12" / "model").is_dir() == (stage != "teaching 12 rows")
    run(settings, out=tmp_path / "broken", folder=tmp_path)
    assert times == [(path / "model.safetensors").stat().st_mtime_ns for path in done], "taught again"
    ends = [tmp_path / name for name in ("whole", "broken")]
    for name in ("verdict.json", "rows/12/model/model.safetensors"):
        assert (ends[0] / name).read_bytes() == (ends[1] / name).read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("shard", [[], ["--shard"]], ids=["whole", "shards"])
def test_two_processes_teach_and_ask_each_number_together(tmp_path: Path, tiny: Tiny, shard: list[str]) -> None:
    run(study(tmp_path, tiny("t5"), "train.rows=[5, 12]"), out=tmp_path / "one", folder=tmp_path)
    words = ["-m", "afters", "run", str(tmp_path / "study.toml"), "--set", "train.rows=[5, 12]"]
    verdicts = []
    for _ in range(2):  # the second time nothing is left to teach
        done = launched(*words, "--out", str(tmp_path / "two"), *shard)
        assert done.returncode == 0, done.stderr
        verdicts.append((tmp_path / "two" / "verdict.json").read_text())
    assert verdicts[0] == verdicts[1]
    (found,) = json.loads(verdicts[0])["rows"]
    assert [one["rows"] for one in found["each"]] == [0, 5, 12, 45]
    one, two = (RunFolder(tmp_path / name) for name in ("one", "two"))
    for rows in (5, 12):
        assert [step["rows"] for step in two.at(rows).steps()] == [step["rows"] for step in one.at(rows).steps()]
    asked = two.results()["tickets"]
    assert len({asked[label].identity["weights"] for label in ("before", "rows=5", "rows=12", "after")}) == 4
    assert all(len(asked[label].cases) == 6 for label in ("rows=5", "rows=12"))
