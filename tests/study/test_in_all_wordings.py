"""A study that is judged in all wordings: each has its score, before and after, and the verdict stays where it was."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tickets import Killed, Killer, Listener
from tiny_models import Tiny

from afters.config import study_of
from afters.errors import InputError, SettingsError
from afters.model.load import prompter_of
from afters.model.prompt import Prompter
from afters.records import Example
from afters.report.document import build
from afters.report.export import verdict_json
from afters.report.page import render
from afters.runfolder import RunFolder
from afters.sides.compare import compare_sides
from afters.study import judging
from afters.study import run as whole
from afters.study.asking import Errand, rows_of
from afters.study.fitting import encode
from afters.study.judging import judge
from afters.study.reading import read_tasks
from afters.study.run import run
from afters.study.settings import Study
from afters.testing import ScriptedModel

WORDINGS = ["Which team? {{ message }}", "{{ message }} Who should answer?", "Team for: {{ message }}"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with twenty rows to teach, two to validate and four to judge."""
    for side, numbers in {"train": range(20), "validation": range(20, 22), "test": range(100, 104)}.items():
        with (tmp_path / f"{side}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["message", "team"])
            writer.writerows([f"Message {number}", "ab"[number % 2]] for number in numbers)
    return tmp_path


def study(base: Path | str, **task: Any) -> Study:
    usual = {
        **{"name": "tickets", "train": "train.csv", "validation": "validation.csv", "test": "test.csv"},
        **{"wordings": WORDINGS, "answer": "{{ team }}", "metrics": ["exact_match"], "judge_all_wordings": True},
    }
    return study_of(
        {
            "name": "tickets",
            "model": {"base": str(base), "precision": "fp32"},
            "task": [{**usual, **task}],
            "keep": {"tasks": []},
            "before": {"shots": [0, 1]},
            "train": {"epochs": 1, "batch_rows": 10, "validations": 1},
            "judge": {"max_new_tokens": 4},
        }
    )


def scripted(name: str, right: Mapping[str, int]) -> ScriptedModel:
    """A model that answers the first few of the four messages right, as many as it says for how the prompt begins."""

    def answer(prompt: str) -> str:
        number = int("".join(filter(str.isdigit, prompt)))
        first = next(rows for begins, rows in right.items() if prompt.startswith(begins))
        return "ab"[number % 2] if number - 100 < first else "neither"

    return ScriptedModel(answer, batch_rows=2, name=name)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, ScriptedModel]:
    """Models in place of base and tuned: of four rows, 1, 2 and 3 are right before in the wordings, then 2, 2 and 4."""
    made = {
        "base": scripted("base", {"Which": 1, "Message": 2, "Team": 3}),
        "tuned": scripted("tuned", {"Which": 2, "Message": 2, "Team": 4}),
    }
    monkeypatch.setattr(whole, "base_model", lambda work: made["base"])
    monkeypatch.setattr(whole, "tuned_model", lambda work: made["tuned"])
    return made


def test_each_wording_has_its_score_and_the_spread_is_known(
    folder: Path, tiny: Tiny, models: dict[str, ScriptedModel]
) -> None:
    told = run(study(tiny("t5")), out=folder / "run", folder=folder)
    (found,) = told.wordings
    assert [(one.wording, one.before, one.after) for one in found.each] == [
        ("1", 0.25, 0.5),
        ("2", 0.5, 0.5),
        ("3", 0.75, 1.0),
    ]
    # 0.25, 0.5, 0.75: squares of 1/16, 0, 1/16 over two. 0.5, 0.5, 1: their mean is 2/3, squares of 1/36, 1/36, 1/9.
    spreads = found.spreads
    assert spreads["before"] == (3, 0.5, 0.25, 0.75, 0.25)
    assert spreads["after"].standard_deviation == pytest.approx(math.sqrt(1 / 12))
    assert (found.decides, found.changed()) == ("1", ((2, 0), (0, 0)))


def test_the_verdict_and_the_comparisons_are_those_of_the_wording_that_decides(
    folder: Path, tiny: Tiny, models: dict[str, ScriptedModel]
) -> None:
    told = run(study(tiny("t5"), judge_wording="3"), out=folder / "run", folder=folder)
    assert (told.headline.before_value, told.headline.after_value) == (0.75, 1.0)
    alone = run(study(tiny("t5"), judge_wording="3", judge_all_wordings=False), out=folder / "alone", folder=folder)
    assert told.comparisons == alone.comparisons and alone.wordings == ()
    assert [result.label for result in told.results] == [result.label for result in alone.results]
    assert [one.wording for one in told.wordings[0].each] == ["1", "2", "3"] and told.wordings[0].decides == "3"


def test_the_others_are_asked_once_with_the_same_rows_and_without_solved_examples(
    folder: Path, tiny: Tiny, models: dict[str, ScriptedModel]
) -> None:
    run(study(tiny("t5")), out=folder / "run", folder=folder)
    results = RunFolder(folder / "run").results()["tickets"]
    besides = {f"{side} wording={wording}" for side in ("before", "after") for wording in "23"}
    assert {label for label in results if "wording" in label} == besides
    for label in besides:
        assert [case.id for case in results[label].cases] == [case.id for case in results["before"].cases]
        assert results[label].identity["shots"] == "0"
    asked = {name: len(model.asked) for name, model in models.items()}
    run(study(tiny("t5")), out=folder / "run", folder=folder)
    assert {name: len(model.asked) for name, model in models.items()} == asked
    stands = RunFolder.opened(folder / "run").told()
    assert render(build(stands)) == (folder / "run" / "report.html").read_text()
    assert verdict_json(stands) == (folder / "run" / "verdict.json").read_text()


def test_turned_on_later_it_asks_the_other_wordings_alone(
    folder: Path, tiny: Tiny, models: dict[str, ScriptedModel]
) -> None:
    run(study(tiny("t5"), judge_all_wordings=False), out=folder / "run", folder=folder)
    asked = len(models["tuned"].asked)
    listener = Listener()
    run(study(tiny("t5")), out=folder / "run", folder=folder, tell=listener)
    assert len(models["tuned"].asked) == asked + 2 * 4
    assert "tickets: before: known already, nothing is asked" in listener.said
    assert "tickets: 20 rows to teach, 2 to validate, 4 to judge in 3 wordings" in listener.said


def test_a_real_model_is_asked_in_every_wording_and_two_runs_are_alike(folder: Path, tiny: Tiny) -> None:
    told = run(study(tiny("t5"), metrics=["rouge"]), out=folder / "one", folder=folder)
    run(study(tiny("t5"), metrics=["rouge"]), out=folder / "two", folder=folder)
    assert [one.wording for one in told.wordings[0].each] == ["1", "2", "3"]
    assert (folder / "one" / "verdict.json").read_bytes() == (folder / "two" / "verdict.json").read_bytes()
    page = (folder / "one" / "report.html").read_text()
    assert "Before, in the other wordings" in page and "wording=" not in page


@pytest.mark.parametrize(("who", "stage"), [("base", "before wording=2"), ("tuned", "after wording=3")])
def test_a_run_killed_within_a_wording_goes_on_there_and_comes_to_the_same_verdict(
    folder: Path, tiny: Tiny, models: dict[str, ScriptedModel], who: str, stage: str
) -> None:
    run(study(tiny("t5")), out=folder / "whole", folder=folder)
    asked = sorted(models[who].asked)
    models[who].asked.clear()
    with pytest.raises(Killed):
        run(study(tiny("t5")), out=folder / "broken", folder=folder, tell=Killer(f"tickets: {stage}"))
    assert 0 < len(models[who].asked) < len(asked)
    run(study(tiny("t5")), out=folder / "broken", folder=folder)
    assert sorted(models[who].asked) == asked, "nothing twice"
    assert (folder / "broken" / "verdict.json").read_bytes() == (folder / "whole" / "verdict.json").read_bytes()


def test_an_evaluation_tells_each_wording_and_their_spread(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = scripted("hosted", {"Which": 1, "Message": 2, "Team": 3})
    monkeypatch.setattr(judging, "_model", lambda *given, **named: nullcontext(model))
    judged = judge("hosted", study("afters-tiny"), out=folder / "out", folder=folder)
    assert [result.label for result in judged.results] == ["asked"]
    (found,) = json.loads((folder / "out" / "scores.json").read_text())["wordings"]
    assert [(one["wording"], one["value"]) for one in found["each"]] == [("1", 0.25), ("2", 0.5), ("3", 0.75)]
    assert found["spread"] == {
        **{"wordings": 3, "mean": 0.5, "least": 0.25, "most": 0.75},
        **{"standard_deviation": 0.25},
    }
    judge("hosted", study("afters-tiny"), out=folder / "again", folder=folder)
    assert compare_sides([folder / "out"], [folder / "again"]).headline.before_value == 0.25
    listener = Listener()
    shown = judge("hosted", study("afters-tiny"), out=folder / "shown", folder=folder, shots=1, tell=listener)
    assert shown.wordings == {} and any("without solved examples only" in line for line in listener.said)


def test_with_nothing_to_set_beside_the_wording_that_decides_the_study_is_refused(folder: Path, tiny: Tiny) -> None:
    with pytest.raises(SettingsError, match="there is one wording to judge in") as told:
        run(study(tiny("t5"), wordings=WORDINGS[:1]), out=folder / "run", folder=folder)
    assert "judge_all_wordings" in str(told.value) and not (folder / "run").exists()
    with pytest.raises(InputError, match="asks nothing, so it takes no `judge_all_wordings`"):
        study(tiny("t5"), wordings=[], answer=None, objective="continuation", text="message", metrics=["perplexity"])


def test_what_is_left_out_is_told_in_the_account_and_on_the_page(folder: Path, tiny: Tiny) -> None:
    (folder / "test.csv").write_text("message,team,place\nMessage 100,a,Town\nMessage 101,b,\n")
    for side in ("train", "validation"):
        lines = (folder / f"{side}.csv").read_text().splitlines()
        (folder / f"{side}.csv").write_text("\n".join([f"{lines[0]},place", *(f"{line},X" for line in lines[1:])]))
    settings = study(tiny("t5"), wordings=[*WORDINGS[:2], "{{ place }}"])
    listener = Listener()
    told = run(settings, out=folder / "run", folder=folder, tell=listener)
    reason = "it cannot ask 1 of 2 judged rows, as test.csv:3: empty prompt"
    assert told.wordings[0].left_out == {"3": reason}
    notes = told.data["notes"]
    assert "judged in 2 wordings: '1', which decides, and '2'" in notes
    assert f"not judged in the wording '3': {reason}" in notes
    assert f"tickets: not judged in the wording '3': {reason}" in listener.said
    assert f"Not judged in the wording &#39;3&#39;: {reason}." in render(build(told))


def test_rows_that_only_another_wording_makes_too_long_are_refused_before_a_model_is_loaded(
    folder: Path, tiny: Tiny
) -> None:
    settings = study(tiny("t5"), wordings=[WORDINGS[0], "{{ message }} " + "and so on " * 30], too_long="drop")
    (task,) = read_tasks(settings, folder=folder, strict=True)
    with pytest.raises(SettingsError, match="rows are too long for the model: 4 to judge") as told:
        encode([task], prompter(tiny, fits=task.test[0]), settings)
    assert "test.csv:2 in the wording '2': prompt of" in str(told.value)


def test_prompts_that_only_another_wording_makes_too_long_are_cut_and_counted(folder: Path, tiny: Tiny) -> None:
    rows = [f"Message {number} {'and so on ' * 20},a" for number in range(100, 104)]
    (folder / "test.csv").write_text("\n".join(["message,team", *rows]))
    settings = study(tiny("t5"), wordings=["{{ message }}", "Please read this: {{ message }}"], cut="message")
    (task,) = read_tasks(settings, folder=folder, strict=True)
    encode([task], prompter(tiny, fits=task.test[0]), settings)
    assert task.account["cut"]["test"] == {"prompts cut": 0}
    assert task.account["cut"]["test, other wordings"] == {"prompts cut": 4}


def prompter(tiny: Tiny, *, fits: Example) -> Prompter:
    """A prompter into which an Example just fits."""
    wide = prompter_of(tiny("t5"), max_prompt_tokens=1000, max_new_tokens=4)
    return prompter_of(tiny("t5"), max_prompt_tokens=len(wide.prompt(fits).ids), max_new_tokens=4)


def test_what_another_process_is_told_says_which_wording_asks(folder: Path, tiny: Tiny) -> None:
    (task,) = read_tasks(study(tiny("t5")), folder=folder, strict=True)
    said = json.loads(json.dumps(asdict(Errand("tuned", "tickets", "test", 0, "3"))))
    asked = rows_of(task, Errand(**said))
    assert [example.prompt for example in asked] == [f"Team for: Message {number}" for number in range(100, 104)]
