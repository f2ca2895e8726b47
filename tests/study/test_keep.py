"""What must not be lost, asked before and after in a whole study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tickets import COLOURS, Killed, Killer, Listener, tickets, write_colours
from tiny_models import Tiny

from afters.compare.kept import Kept
from afters.config import read_study
from afters.data.probes import halves, probes
from afters.errors import DataError, InputError, SettingsError
from afters.report.document import build
from afters.report.export import model_card
from afters.report.page import render
from afters.runfolder import RunFolder
from afters.study.run import run

OWN = COLOURS.replace("source =", "test =") + "margin = 0.1\n"


@pytest.fixture
def folder(tmp_path: Path, tiny: Tiny) -> Path:
    file = tickets(tmp_path, base=tiny("t5"))
    file.write_text(file.read_text().replace("[keep]\ntasks = []\n", '[keep]\ntexts = ["notes.txt"]\n' + OWN))
    write_colours(tmp_path, rows=30)
    paragraphs = [f"Note {number}. " + "The boat came in late and nobody was there. " * 6 for number in range(12)]
    (tmp_path / "notes.txt").write_text("\n\n".join([*paragraphs, "Too short."]))
    return tmp_path


def test_what_is_named_is_asked_before_and_after_and_held_against_its_margin(folder: Path) -> None:
    listener = Listener()
    told = run(read_study(folder / "study.toml"), out=folder / "run", folder=folder, tell=listener)
    colours, notes = told.kept
    assert (colours.task, colours.margin, colours.comparison.metric, colours.chance) == (
        "colours",
        0.1,
        "accuracy",
        0.5,
    )
    assert (notes.task, notes.margin, notes.comparison.metric) == ("notes.txt", 0.05, "bits_per_byte")
    assert (colours.comparison.cases, notes.comparison.cases) == (30, 12)
    assert "not to be lost: colours, notes.txt; 42 rows to judge" in listener.said
    assert {result.task for result in told.results} == {"tickets"}, "the scores are of what was taught"
    verdict = json.loads((folder / "run" / "verdict.json").read_text())
    assert [Kept.read(one) for one in verdict["kept"]] == [one for one in RunFolder(folder / "run").told().kept]
    assert not any(sentence.startswith("Forgetting: ") for sentence in told.not_measured)
    for form in (render(build(told)), model_card(told, base="tiny")):
        assert "What was kept" in form and "notes.txt" in form


def test_a_task_of_ones_own_is_not_taught(folder: Path) -> None:
    run(read_study(folder / "study.toml"), out=folder / "one", folder=folder)
    run(
        read_study(folder / "study.toml", changes=["keep.task=[]", "keep.texts=[]", "keep.tasks=[]"]),
        out=folder / "two",
        folder=folder,
    )
    one, two = (RunFolder(folder / name).told() for name in ("one", "two"))
    losses = [[step["loss"] for step in told.steps] for told in (one, two)]
    assert losses[0] == losses[1]
    assert one.comparisons == two.comparisons


def test_an_interrupted_study_asks_what_is_missing_and_says_the_same(folder: Path) -> None:
    study = read_study(folder / "study.toml")
    run(study, out=folder / "whole", folder=folder)
    with pytest.raises(Killed):
        run(study, out=folder / "broken", folder=folder, tell=Killer("colours: after"))
    run(study, out=folder / "broken", folder=folder, tell=Killer("colours: before", after=0))
    assert (folder / "broken/verdict.json").read_bytes() == (folder / "whole/verdict.json").read_bytes()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["keep.tasks=['topics']"], "did you mean 'topic'"),
        (["keep.texts=['note.txt']"], "note.txt"),
        (["keep.task.name='tickets'"], "two tasks are called 'tickets'"),
        (["keep.margin=0"], "greater than 0"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_asked(folder: Path, changes: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("[", r"\[")):
        run(read_study(folder / "study.toml", changes=changes), out=folder / "run", folder=folder)
    assert not (folder / "run" / "results").exists()


def test_a_score_without_a_scale_needs_a_margin_of_its_own(folder: Path) -> None:
    (folder / "study.toml").write_text((folder / "study.toml").read_text().replace("margin = 0.1\n", ""))
    with pytest.raises(InputError, match=r"a margin of its own, in \[\[keep.task\]\]"):
        run(read_study(folder / "study.toml", changes=["keep.task.metrics=['nll']"]), out=folder / "run", folder=folder)


def test_a_margin_for_all_is_in_the_unit_of_each_score(folder: Path) -> None:
    changes = ["keep.margin=0.02", "keep.task.metrics=['bleu']", "keep.task.choices=''"]
    text = (folder / "study.toml").read_text().replace("margin = 0.1\n", "").replace('choices = ["red", "blue"]\n', "")
    (folder / "study.toml").write_text(text)
    told = run(read_study(folder / "study.toml", changes=changes[:2]), out=folder / "run", folder=folder)
    assert [one.margin for one in told.kept] == [2.0, 0.02]


def test_the_probes_that_ship_are_six_tasks_of_600_rows_and_free_text() -> None:
    every = probes()
    rows = {probe.name: Path(str(probe.test)).read_text().count("\n") for probe in every}
    assert sum(count >= 600 for count in rows.values()) >= 6
    assert "probe prose" in rows
    assert [probe.name for probe in probes(["topic", "intent"])] == ["probe topic", "probe intent"]
    with pytest.raises(SettingsError, match="did you mean 'intent'"):
        probes(["intents"])


def test_where_nothing_is_named_the_probes_that_fit_are_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def few(names: Any = None, *, teaching: bool = False) -> Any:
        return tuple(probe.model_copy(update={"test_limit": 6}) for probe in probes(["topic", "intent", "prose"]))

    monkeypatch.setattr("afters.study.reading.probes", few)
    text = (folder / "study.toml").read_text()
    without = text[: text.index("[keep]")] + text[text.index("[before]") :]
    (folder / "study.toml").write_text(without)
    told = run(read_study(folder / "study.toml"), out=folder / "run", folder=folder)
    assert [one.task for one in told.kept] == ["probe topic", "probe intent", "probe prose"]
    small = read_study(folder / "study.toml", changes=["model.max_prompt_tokens=30"])
    told = run(small, out=folder / "small", folder=folder)
    assert any(sentence.startswith("probe intent: left out: ") for sentence in told.not_measured)
    assert "probe intent" not in [one.task for one in told.kept]


def test_a_text_is_cut_at_the_space_nearest_to_the_middle_of_each_long_paragraph(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Short.\n\n" + "word " * 60 + "\n" + "more " * 60)
    (found,) = halves("a.txt", folder=tmp_path)
    assert abs(len(found["first"]) - len(found["second"])) <= 5
    assert found["first"].split() + found["second"].split() == ["word"] * 60 + ["more"] * 60
    with pytest.raises(DataError, match="200 bytes"):
        (tmp_path / "b.txt").write_text("Short.")
        halves("b.txt", folder=tmp_path)


def test_it_is_told_how_far_the_model_has_moved_on_the_new_task(folder: Path) -> None:
    study = read_study(folder / "study.toml", changes=["train.learning_rate=0.05", "train.epochs=4"])
    told = run(study, out=folder / "run", folder=folder)
    found = told.divergence
    assert found is not None and found.drawn and found.low <= found.value <= found.high
    assert found.low > 0, "what the base says became less probable"
    stands = RunFolder(folder / "run").told().divergence
    assert stands is not None and stands.value == pytest.approx(found.value)
    assert "has moved from its base" in render(build(told))
    assert {result.task for result in told.results} == {"tickets"}
    again = run(study, out=folder / "run", folder=folder, tell=Killer("tickets: drawn", after=0))
    assert again.divergence == found, "nothing was drawn again"


def test_over_choices_the_divergence_is_exact_and_nothing_is_drawn(folder: Path) -> None:
    text = (
        (folder / "study.toml")
        .read_text()
        .replace('metrics = ["exact_match"]', 'metrics = ["accuracy"]\nchoices = ["a", "b"]', 1)
    )
    (folder / "study.toml").write_text(text)
    told = run(read_study(folder / "study.toml"), out=folder / "run", folder=folder)
    assert told.divergence is not None and not told.divergence.drawn
    assert "drawn" not in RunFolder(folder / "run").results()["tickets"]


def test_a_right_answer_that_is_only_weighed_is_not_taken_for_the_bases_own(folder: Path) -> None:
    text = (folder / "study.toml").read_text()
    weighed = 'metrics = ["bits_per_byte"]\nchoices = "{{ [team] }}"'
    (folder / "study.toml").write_text(text.replace('metrics = ["exact_match"]', weighed, 1))
    told = run(read_study(folder / "study.toml", changes=["before.shots=[0]"]), out=folder / "run", folder=folder)
    assert told.divergence is None
