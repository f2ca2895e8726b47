"""Studies share what they have asked, and nothing that befalls the cache changes a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tickets import Listener
from tiny_models import Tiny

from afters.config import study_of
from afters.model.cache import Size, opened
from afters.model.load import prompter_of
from afters.report.document import build
from afters.report.page import render
from afters.report.told import Told
from afters.runfolder import RunFolder
from afters.study.judging import judge
from afters.study.run import run
from afters.study.settings import Study


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tickets.csv and a cache."""
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    monkeypatch.setenv("AFTERS_CACHE", str(tmp_path / "cache"))
    return tmp_path


def study(base: Path, **train: Any) -> Study:
    task = {
        "name": "tickets",
        "source": "tickets.csv",
        "fractions": {"train": 0.6, "validation": 0.1, "test": 0.3},
        "wordings": ["Which team? {{ message }}"],
        "answer": "{{ team }}",
        "metrics": ["exact_match"],
    }
    return study_of(
        {
            "name": "tickets",
            "model": {"base": str(base), "precision": "fp32"},
            "task": [task],
            "keep": {"tasks": []},
            "before": {"shots": [0, 1]},
            "train": {"epochs": 1, "batch_rows": 6, "learning_rate": 0.01, "validations": 2, **train},
            "judge": {"max_new_tokens": 4},
        }
    )


def known(told: Told, out: Path) -> dict[str, set[bool]]:
    """Whether a run's answers, by who gave them, were known."""
    results = RunFolder(out).results()["tickets"]
    assert {result.label for result in told.results} <= results.keys()
    return {
        label: {one.from_cache for case in result.cases for one in case.predictions}
        for label, result in results.items()
        if label != "nearest"
    }


def size() -> Size:
    answers = opened(tell=pytest.fail)
    assert answers is not None
    found = answers.size()
    assert found is not None
    return found


def test_a_base_is_asked_once_for_all_studies_and_no_tuned_model_gets_its_answers(folder: Path, tiny: Tiny) -> None:
    told = run(study(tiny("t5")), out=folder / "first", folder=folder)
    labels = {"before", "shots=1", "validation shots=0", "validation shots=1", "after"}
    assert known(told, folder / "first") == dict.fromkeys(labels, {False})
    listener = Listener()
    told = run(study(tiny("t5"), learning_rate=0.02), out=folder / "second", folder=folder, tell=listener)
    assert known(told, folder / "second") == dict.fromkeys(labels, {True}) | {"after": {False}}
    asked = len(told.result("before", task="tickets").cases)
    assert f"tickets: before: {asked} of {asked} answers taken from the cache" in listener.said
    assert not any("tickets: after" in line for line in listener.said)
    results = RunFolder.opened(folder / "second").results()["tickets"]
    from_cache = sum(len(results[label].cases) for label in labels - {"after"})
    assert RunFolder.opened(folder / "second").told().costs["answers_from_cache"] == from_cache
    assert "Answers taken from the cache" in render(build(told))


def test_evaluated_alone_a_base_and_a_tuned_model_are_known_from_the_run(folder: Path, tiny: Tiny) -> None:
    run(study(tiny("t5")), out=folder / "run", folder=folder)
    for name, model in (("base", tiny("t5")), ("tuned", folder / "run" / "model")):
        judged = judge(str(model), study(tiny("t5")), out=folder / name, folder=folder)
        answers = [one for result in judged.results for case in result.cases for one in case.predictions]
        assert {one.from_cache for one in answers} == {True}


@pytest.mark.parametrize("judged_by", ["primary", "loss"])
def test_what_a_model_says_while_it_is_taught_is_not_kept(folder: Path, tiny: Tiny, judged_by: str) -> None:
    run(study(tiny("t5"), keep_best_by=judged_by), out=folder / "run", folder=folder)
    results = RunFolder(folder / "run").results()["tickets"].values()
    asked = {
        (result.identity["weights"], one.prompt_hash)
        for result in results
        if result.label != "nearest"
        for case in result.cases
        for one in case.predictions
    }
    assert size().answers == len(asked)


def test_an_equal_study_asks_nothing_and_comes_to_the_same_verdict_as_one_without_a_cache(
    folder: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(study(tiny("t5")), out=folder / "first", folder=folder)
    told = run(study(tiny("t5")), out=folder / "second", folder=folder)
    assert set.union(*known(told, folder / "second").values()) == {True}
    monkeypatch.setenv("AFTERS_CACHE", "off")
    told = run(study(tiny("t5")), out=folder / "without", folder=folder)
    assert set.union(*known(told, folder / "without").values()) == {False}
    verdicts = {(folder / name / "verdict.json").read_bytes() for name in ("first", "second", "without")}
    assert len(verdicts) == 1


def test_a_damaged_cache_is_told_once_and_the_study_goes_on(
    folder: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "cache").mkdir()
    (folder / "cache" / "answers.sqlite").write_text("not a database " * 500)
    listener = Listener()
    run(study(tiny("t5")), out=folder / "damaged", folder=folder, tell=listener)
    assert len([line for line in listener.said if "cache" in line]) == 1
    monkeypatch.setenv("AFTERS_CACHE", "off")
    run(study(tiny("t5")), out=folder / "without", folder=folder)
    assert (folder / "damaged" / "verdict.json").read_bytes() == (folder / "without" / "verdict.json").read_bytes()


def test_a_study_says_how_much_is_kept_and_how_much_may_be(folder: Path, tiny: Tiny) -> None:
    listener = Listener()
    run(study(tiny("t5")), out=folder / "run", folder=folder, tell=listener)
    assert any("cache: 0 answers, 0.0 MB of 1,024 MB" in line for line in listener.said)


def test_prompts_that_lose_shots_are_told(folder: Path, tiny: Tiny) -> None:
    asked = study(tiny("t5"))
    prompter, listener = prompter_of(tiny("t5")), Listener()
    alone = len(prompter.tokenizer("Which team? Message 59").input_ids)
    short = asked.model_copy(update={"model": asked.model.model_copy(update={"max_prompt_tokens": alone + 2})})
    told = run(short, out=folder / "run", folder=folder, tell=listener)
    rows = len(told.result("before", task="tickets").cases)
    assert f"tickets: shots=1: {rows} of {rows} prompts lost shots that did not fit" in listener.said
    assert not any("before:" in line and "lost" in line for line in listener.said)
    assert "Lost shots" in render(build(told))


def test_several_answers_a_prompt_are_scored_together_and_their_spread_is_told(folder: Path, tiny: Tiny) -> None:
    plain = study(tiny("t5"))
    drawn = plain.judge.model_copy(update={"method": "sample", "answers": 3, "temperature": 2.0})
    told = run(plain.model_copy(update={"judge": drawn}), out=folder / "run", folder=folder)
    for label in ("before", "after"):
        result = told.result(label, task="tickets")
        assert {len(one.answers) for case in result.cases for one in case.predictions} == {3}
        assert result.score("exact_match").spread is not None
    assert "by chance of the answers" in render(build(told))
