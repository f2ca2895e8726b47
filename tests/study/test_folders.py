"""Whose folder it is: a run overwrites nothing of the user's, and takes for its own only what it made itself."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tickets import COLOURS, Killed, Killer, tasks_of, tickets, write_colours
from tiny_models import Tiny

from afters.config import read_study, study_of
from afters.errors import RunFolderError
from afters.report.export import verdict_json
from afters.runfolder import RunFolder
from afters.study.judging import judge
from afters.study.run import run
from afters.study.settings import Study

T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 1}
"""A configuration without weights."""

QUICK = ("train.epochs=1", "train.batch_rows=12", "before.shots=[0]", "before.nearest=false")


@pytest.fixture
def folder(tmp_path: Path, tiny: Tiny) -> Path:
    """A folder with a study of the user's, study.toml, and its rows."""
    tickets(tmp_path, base=tiny("t5"))
    return tmp_path


def study(folder: Path, *changes: str) -> Study:
    return read_study(folder / "study.toml", changes=(*QUICK, *changes))


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stages(folder: Path, base: Path, *order: str, tasks: int = 2) -> Study:
    """Return a study of the first tasks of three, in stages in that order; all at once where there is none."""
    every = tasks_of(folder, {"first": 24, "second": 18, "third": 12})[:tasks]
    settings: dict[str, Any] = {
        "name": "staged",
        "model": {"base": str(base), "precision": "fp32"},
        "task": [{**task, "metrics": ["rouge"], "primary": "rouge1"} for task in every],
        "before": {"shots": [0], "nearest": False},
        "train": {"epochs": 1, "batch_rows": 6, "learning_rate": 0.02, "validations": 1},
        "judge": {"max_new_tokens": 4},
        "keep": {"tasks": []},
        "stage": [{"task": name} for name in order],
    }
    return study_of(settings)


def from_scratch(folder: Path, base: Path) -> Study:
    (folder / "t5.json").write_text(json.dumps(T5))
    return study(folder, f"model.base={folder / 't5.json'}", "model.tokenizer.vocabulary=420")


def with_fewer_rows(folder: Path, base: Path) -> Study:
    return study(folder, "train.rows=[4]")


def in_stages(folder: Path, base: Path) -> Study:
    return stages(folder, base, "second", "first")


# The user's own files


@pytest.mark.parametrize("stands", ["study.toml", "data.json", "model", "report.html", "rows", "results"])
def test_nothing_of_the_users_is_overwritten_or_believed(folder: Path, tiny: Tiny, stands: str) -> None:
    settings, out = study(folder), folder / "mine"
    if stands == "study.toml":
        out = folder
    elif stands == "model":
        shutil.copytree(tiny("t5"), out / "model")
        (out / "model" / "README.md").write_text("mine")
    else:
        mine = out / stands if "." in stands else out / stands / "mine.csv"
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
    before = content(folder)
    for refused in (
        lambda: run(settings, out=out, folder=folder),
        lambda: judge(str(tiny("t5")), settings, out=out, folder=folder),
    ):
        with pytest.raises(RunFolderError, match="(?s)does not say what it was made with.*another --out") as caught:
            refused()
        assert caught.value.received == (f"{stands}/" if (out / stands).is_dir() else stands)
        assert content(folder) == before


def test_a_run_from_scratch_overwrites_nothing_either(folder: Path, tiny: Tiny) -> None:
    settings = from_scratch(folder, tiny("t5"))
    before = content(folder)
    with pytest.raises(RunFolderError, match=r"(?s)received: study\.toml"):
        run(settings, out=folder, folder=folder)
    assert content(folder) == before


def test_a_folder_with_a_log_and_other_things_that_are_never_written_is_taken(folder: Path) -> None:
    for name in ("out/run.log", "out/.gitignore", "out/data/tickets.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    run(study(folder), out=folder / "out", folder=folder)
    for name in ("out/run.log", "out/.gitignore", "out/data/tickets.csv"):
        assert (folder / name).read_text() == "mine"


def test_a_run_and_an_evaluation_leave_each_other_alone(folder: Path, tiny: Tiny) -> None:
    settings = study(folder)
    judge(str(tiny("t5")), settings, out=folder / "asked", folder=folder)
    with pytest.raises(Killed):
        run(settings, out=folder / "run", folder=folder, tell=Killer("tickets: before"))
    before = content(folder)
    with pytest.raises(RunFolderError, match="this folder holds an evaluation"):
        run(settings, out=folder / "asked", folder=folder)
    with pytest.raises(RunFolderError, match="this folder holds a run"):
        judge(str(tiny("t5")), settings, out=folder / "run", folder=folder)
    assert content(folder) == before


# What a run left itself


@pytest.mark.parametrize("made", [with_fewer_rows, from_scratch, in_stages])
def test_a_first_run_that_was_killed_at_any_write_goes_on(
    folder: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch, made: Callable[[Path, Path], Study]
) -> None:
    settings, write = made(folder, tiny("t5")), RunFolder.write
    asked, count = f"{settings.tasks[0].name}: before", 0

    def killed_at(last: int) -> Callable[[RunFolder, str, str], Path]:
        left = last

        def writing(self: RunFolder, name: str, text: str) -> Path:
            nonlocal left
            if left == 0:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / name).with_name(f".{Path(name).name}.draft").write_text("half")
                raise KeyboardInterrupt
            left -= 1
            return write(self, name, text)

        return writing

    while True:
        out = folder / f"killed-{count}"
        with monkeypatch.context() as patched, pytest.raises((KeyboardInterrupt, Killed)) as ended:
            patched.setattr(RunFolder, "write", killed_at(count))
            run(settings, out=out, folder=folder, tell=Killer(asked))
        with pytest.raises(Killed):
            run(settings, out=out, folder=folder, tell=Killer(asked))
        if ended.type is Killed:
            break
        count += 1
    assert count >= 5, "keys, index, study and rows at least"


def test_a_model_without_the_key_of_its_teaching_is_not_told_as_the_new_one(folder: Path, tiny: Tiny) -> None:
    (folder / "study.toml").write_text((folder / "study.toml").read_text().replace("[keep]\ntasks = []\n", COLOURS))
    write_colours(folder, rows=60)
    settings = study(folder, "train.rows=[4]", "mend.replay=[0.25]")
    run(settings, out=folder / "run", folder=folder)
    faster = study(folder, "train.rows=[4]", "mend.replay=[0.25]", "train.learning_rate=0.02")
    with pytest.raises(RunFolderError, match="another train.learning_rate") as caught:
        run(faster, out=folder / "run", folder=folder)
    assert str(caught.value.hint).endswith(f"the whole run folder, {folder / 'run'}.")
    for place in ("run", "run/rows/4", "run/others/replay-0.25"):
        (folder / place / "train").rename(folder / "aside")
        before = content(folder)
        for one in (faster, settings) if place == "run" else (settings,):
            with pytest.raises(RunFolderError, match="does not say what it was made with") as caught:
                run(one, out=folder / "run", folder=folder)
            assert "model/" in str(caught.value.received)
            assert f"remove the whole run folder, {folder / 'run'}" in str(caught.value.hint)
        assert content(folder) == before
        (folder / "aside").rename(folder / place / "train")
    told = run(settings, out=folder / "run", folder=folder, tell=Killer("teaching"))
    assert [one.task for one in RunFolder.opened(folder / "run").told().kept] == [one.task for one in told.kept] != []


# Stages


@pytest.mark.parametrize("order", [("second", "first"), ("first", "second")])
def test_stages_that_come_to_a_finished_run_are_refused_before_anything_is_written(
    tmp_path: Path, tiny: Tiny, order: tuple[str, ...]
) -> None:
    run(stages(tmp_path, tiny("t5")), out=tmp_path / "run", folder=tmp_path)
    settings = stages(tmp_path, tiny("t5"), *order)
    before = content(tmp_path)
    with pytest.raises(RunFolderError, match="this folder was made with another primary score"):
        run(settings, out=tmp_path / "run", folder=tmp_path)
    assert content(tmp_path) == before


def test_other_stages_are_refused_before_anything_is_written(tmp_path: Path, tiny: Tiny) -> None:
    whole = stages(tmp_path, tiny("t5"), "second", "first")
    run(whole, out=tmp_path / "run", folder=tmp_path)
    others = [
        stages(tmp_path, tiny("t5"), "first", "second"),
        stages(tmp_path, tiny("t5")),
        stages(tmp_path, tiny("t5"), "second", "third", "first", tasks=3),
        stages(tmp_path, tiny("t5"), "second", "first", "third", tasks=3),
    ]
    before = content(tmp_path)
    for other in others:
        with pytest.raises(RunFolderError, match="the run in this folder was made with another"):
            run(other, out=tmp_path / "run", folder=tmp_path)
        assert content(tmp_path) == before
    for stage in ("first: before", "teaching stage-1", "teaching", "first: after"):
        run(whole, out=tmp_path / "run", folder=tmp_path, tell=Killer(stage, after=0))


# A verdict that is being made anew


def test_a_report_of_a_run_that_is_being_done_anew_says_so(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scored = 'task.metrics=["exact_match", "rouge"]'
    run(study(folder, scored), out=folder / "run", folder=folder)
    verdict = (folder / "run" / "verdict.json").read_text()
    for stage in ("shots=1", "validation shots=1"):
        with pytest.raises(Killed):
            shown = study(folder, scored, "before.shots=[0, 1]")
            run(shown, out=folder / "run", folder=folder, tell=Killer(f"tickets: {stage}"))
        with pytest.raises(
            RunFolderError, match=r"(?s)being done anew.*none to tickets, after.*the same command again"
        ):
            RunFolder.opened(folder / "run")
    with monkeypatch.context() as patched:  # all is asked again, and the verdict is still the old one
        write = RunFolder.write

        def dies(self: RunFolder, name: str, text: str) -> Path:
            if name == "verdict.json":
                raise Killed
            return write(self, name, text)

        patched.setattr(RunFolder, "write", dies)
        with pytest.raises(Killed):
            run(study(folder), out=folder / "run", folder=folder)
    with pytest.raises(RunFolderError, match="(?s)being done anew.*no rouge1 of tickets, before"):
        RunFolder.opened(folder / "run").told()
    run(study(folder, scored), out=folder / "run", folder=folder)
    assert verdict_json(RunFolder.opened(folder / "run").told()) == verdict
