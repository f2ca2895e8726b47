"""What may lose less, made and asked in a whole study."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from tickets import COLOURS, Killed, Killer, Listener, tickets, write_colours
from tiny_models import Tiny
from transformers import AutoModelForCausalLM
from typer.testing import CliRunner

from afters.cli import app
from afters.compare.cures import Cure
from afters.config import read_study
from afters.errors import InputError, ModelError, SettingsError
from afters.evaluate import ask
from afters.model.between import adapter_between, weights_between
from afters.model.parallel import Processes
from afters.records import Decoding
from afters.report.document import build
from afters.report.page import render
from afters.runfolder import RunFolder
from afters.study.asking import AskedLater, base_model
from afters.study.mending import _own_share
from afters.study.retaught import retaught
from afters.study.run import run
from afters.study.settings import Study
from afters.study.work import Work

MEND = """
[mend]
replay = [0.25]
interpolate = [0.0, 0.5, 1.0]
"""

TASKS = ("tickets", "colours")


@pytest.fixture
def folder(tmp_path: Path, tiny: Tiny) -> Path:
    file = tickets(tmp_path, base=tiny("t5"))
    file.write_text(file.read_text().replace("[keep]\ntasks = []\n", MEND + COLOURS))
    write_colours(tmp_path, rows=90)
    return tmp_path


def answers(folder: Path, label: str, *, task: str = "tickets") -> list[tuple[str, ...]]:
    cases = RunFolder(folder).results()[task][label].cases
    return [answer.answers for case in cases for answer in case.predictions]


def test_every_model_is_asked_what_the_runs_own_is_asked(folder: Path) -> None:
    told = run(read_study(folder / "study.toml"), out=folder / "run", folder=folder)
    kinds = [(one.kind, one.name) for one in told.cures]
    assert kinds[0] == ("plain", "")
    assert [name for kind, name in kinds if kind == "interpolation"] == ["between-0", "between-0.5", "between-1"]
    assert [name for kind, name in kinds if kind == "replay"] == ["replay-0.25"]
    assert [name for kind, name in kinds if kind == "checkpoint"], "the run's own on its way"
    assert sum(one.chosen for one in told.cures) == 1
    verdict = json.loads((folder / "run" / "verdict.json").read_text())
    assert tuple(Cure.read(one) for one in verdict["cures"]) == RunFolder(folder / "run").told().cures
    assert "Learned against kept" in render(build(told))
    assert [result.label for result in told.results] == ["before", "shots=1", "nearest", "after"]


def test_at_nothing_it_answers_as_the_base_and_at_all_as_the_tuned_model(folder: Path) -> None:
    changes = ["judge.max_new_tokens=12", "train.learning_rate=0.02"]
    told = run(read_study(folder / "study.toml", changes=changes), out=folder / "run", folder=folder)
    for task in ("tickets", "colours"):
        assert answers(folder / "run", "other=between-0", task=task) == answers(folder / "run", "before", task=task)
        assert answers(folder / "run", "other=between-1", task=task) == answers(folder / "run", "after", task=task)
    assert answers(folder / "run", "before") != answers(folder / "run", "after")
    by_name = {one.name: one for one in told.cures}
    assert by_name["between-1"].learned == by_name[""].learned and by_name["between-0"].learned.value == 0.0


def test_a_loras_strength_goes_from_the_base_to_the_tuned_model_too(folder: Path) -> None:
    changes = ["train.method='lora'", "train.learning_rate=0.05", "judge.max_new_tokens=12", "mend.replay=[]"]
    told = run(read_study(folder / "study.toml", changes=changes), out=folder / "run", folder=folder)
    assert {one.kind for one in told.cures} == {"plain", "checkpoint", "strength"}
    assert answers(folder / "run", "other=between-0") == answers(folder / "run", "before")
    assert answers(folder / "run", "other=between-1") == answers(folder / "run", "after")


def test_replay_teaches_all_that_the_plain_run_does_and_so_many_tokens_more(folder: Path) -> None:
    (folder / "words.jsonl").write_text("".join(json.dumps({"n": number}) + "\n" for number in range(90)))
    answer = 'answer = "{{ n }}, which is {{ n }} and nothing else, so I say {{ n }}"'
    own = '[[keep.task]]\nname = "words"\nsource = "words.jsonl"\nwordings = ["Say {{ n }} at length."]\n'
    file = folder / "study.toml"
    file.write_text(f'{file.read_text()}{own}{answer}\nmetrics = ["exact_match"]\n')
    run(read_study(file, changes=["mend.replay=[0.6]"]), out=folder / "run", folder=folder)
    plain, replayed = (RunFolder(place).steps() for place in (folder / "run", folder / "run/others/replay-0.6"))
    rows, tokens = (
        {task: sum(step["tasks"].get(task, {}).get(what, 0) for step in replayed) for task in (*TASKS, "words")}
        for what in ("rows", "tokens")
    )
    # The last step of all may be short of a few rows, which are then left away.
    assert 0 <= sum(step["rows"] for step in plain) - rows["tickets"] < 4
    assert abs(rows["colours"] - rows["words"]) < 4 and tokens["words"] > 2 * tokens["colours"]
    assert 1 - tokens["tickets"] / sum(tokens.values()) == pytest.approx(0.6, abs=0.04)


def test_the_base_rehearses_its_own_choices_and_what_it_writes_itself(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "words.jsonl").write_text("".join(json.dumps({"n": number}) + "\n" for number in range(90)))
    own = '[[keep.task]]\nname = "words"\nsource = "words.jsonl"\nwordings = ["Say {{ n }} at length."]\n'
    file = folder / "study.toml"
    file.write_text(f'{file.read_text()}{own}answer = "{{{{ n }}}} it is"\nmetrics = ["exact_match"]\n')
    made = list[Work]()

    def noted(work: Work, base: AskedLater) -> tuple[Work, ...]:
        made.extend(retaught(work, base))
        return (*made,)

    monkeypatch.setattr("afters.study.run.retaught", noted)
    changes = ["mend.replay=[]", "mend.interpolate=[]", "mend.rehearse=[0.9]", "mend.l2_sp=[3]"]
    told = run(read_study(file, changes=changes), out=folder / "run", folder=folder)
    assert [one.kind for one in told.cures if one.kind not in ("plain", "checkpoint")] == ["rehearsal", "l2_sp"]
    rehearsing, held_back = made
    assert rehearsing.other == "rehearsal-0.9" and held_back.study.train.l2_sp == 3
    [_, colours, words] = rehearsing.tasks
    assert colours.rows_a_pass == words.rows_a_pass == len(colours.train) and not len(colours.validation)
    base = base_model(rehearsing)
    picked = [one for batch in ask(base, list(colours.train), Decoding(), done=()) for one in batch]
    choices = {one.example: one.answers[0] for one in picked}
    for example, pair in zip(colours.train, colours.pairs, strict=True):
        assert pair.answer == rehearsing.prompter.answer(choices[example.id])
    right = [rehearsing.prompter.taught(example) for example in words.train]
    assert all(pair.answer != answer for pair, answer in zip(words.pairs, right, strict=True)), "a tiny base knows none"
    ends = [pair.answer[-1] in rehearsing.prompter.end_ids for pair in words.pairs]
    assert not all(ends), "what the limit cut off has no end"


def test_what_the_base_said_is_kept_and_not_asked_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_study(folder / "study.toml", changes=["mend.replay=[]", "mend.rehearse=[0.1, 0.2]"])
    with pytest.raises(Killed):
        run(study, out=folder / "run", folder=folder, tell=Killer("teaching rehearsal-0.2"))
    monkeypatch.setattr("afters.study.retaught.ask", lambda *given, **named: pytest.fail("it was asked again"))
    told = run(study, out=folder / "run", folder=folder)
    assert [one.name for one in told.cures if one.kind == "rehearsal"] == ["rehearsal-0.1", "rehearsal-0.2"]
    assert [one.strength for one in told.cures if one.kind == "rehearsal"] == [0.1, 0.2]


@pytest.mark.parametrize(
    "change",
    [
        "keep.task.wordings=['Colour of {{ thing }}?']",
        "keep.task.choices=['red', 'blue', 'green']",
        "model.precision='bf16'",
        "model.max_prompt_tokens=60",
    ],
)
def test_what_the_base_said_is_asked_anew_where_it_might_say_something_else(folder: Path, change: str) -> None:
    kept = []
    for place, changes in enumerate(([], [], [change])):
        study = read_study(folder / "study.toml", changes=["mend.replay=[]", "mend.rehearse=[0.1]", *changes])
        with pytest.raises(Killed):
            run(study, out=folder / f"run-{place}", folder=folder, tell=Killer("tickets: before"))
        kept.append([file.name for file in (folder / f"run-{place}" / "rehearsed").iterdir()])
    assert kept[0] == kept[1] != kept[2] and len(kept[0]) == len(kept[2]) == 1


def test_held_to_the_base_the_same_rows_are_taught_what_it_expects(folder: Path) -> None:
    changes = ["mend.interpolate=[]", "mend.replay=[0.5]", "mend.kl=[0.5]", "train.learning_rate=0.02"]
    told = run(read_study(folder / "study.toml", changes=changes), out=folder / "run", folder=folder)
    assert [one.name for one in told.cures if one.kind == "kl"] == ["kl-0.5"]
    replayed, held = (RunFolder(folder / f"run/others/{name}").steps() for name in ("replay-0.5", "kl-0.5"))
    assert [step["tasks"].keys() for step in held] == [step["tasks"].keys() for step in replayed], "the same rows"
    divergences, losses = (
        [step["tasks"]["colours"]["loss"] for step in steps if "colours" in step["tasks"]] for steps in (held, replayed)
    )
    assert divergences[0] < 0.2 < 1 < losses[0], "but for dropout, it expects at first what the base does"


def test_a_replayed_task_has_no_say_in_which_checkpoint_is_best(folder: Path) -> None:
    run(read_study(folder / "study.toml"), out=folder / "run", folder=folder)
    steps = RunFolder(folder / "run/others/replay-0.25").steps()
    validated = [step["validation"] for step in steps if "validation" in step]
    assert validated and all(math.isfinite(value) for value in validated)


def test_an_adapter_is_not_pulled_back_to_weights_that_it_never_had(folder: Path) -> None:
    with pytest.raises(InputError, match="only with train.method"):
        read_study(folder / "study.toml", changes=["train.method='lora'", "mend.l2_sp=[5]"])


def test_an_interrupted_mending_comes_to_the_same_verdict(folder: Path) -> None:
    study = read_study(folder / "study.toml", changes=["mend.kl=[0.25]"])
    run(study, out=folder / "whole", folder=folder)
    for stage in ("teaching replay-0.25", "teaching kl-0.25", "colours: other=between-0.5"):
        with pytest.raises(Killed):
            run(study, out=folder / "broken", folder=folder, tell=Killer(stage))
    run(study, out=folder / "broken", folder=folder)
    assert (folder / "broken/verdict.json").read_bytes() == (folder / "whole/verdict.json").read_bytes()


def test_mending_leaves_the_runs_own_model_as_it_was(folder: Path) -> None:
    run(read_study(folder / "study.toml"), out=folder / "one", folder=folder)
    without = ["mend.replay=[]", "mend.interpolate=[]"]
    run(read_study(folder / "study.toml", changes=without), out=folder / "two", folder=folder)
    weights = [(folder / name / "model/model.safetensors").read_bytes() for name in ("one", "two")]
    assert weights[0] == weights[1]
    assert RunFolder(folder / "one").told().comparisons == RunFolder(folder / "two").told().comparisons


ON_THE_WAY = ["mend.replay=[]", "train.validations=3", "train.keep_best_by='loss'"]


def test_a_run_that_was_taught_without_mend_has_no_control_and_so_no_cure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afters.study.teaching._by_loss", lambda *given: lambda step: -step)
    study = read_study(folder / "study.toml", changes=ON_THE_WAY)
    without = read_study(folder / "study.toml", changes=[*ON_THE_WAY, "mend.interpolate=[]"])
    run(without, out=folder / "run", folder=folder)
    listener = Listener()
    bare = run(study, out=folder / "run", folder=folder, tell=listener)
    assert {one.kind for one in bare.cures} == {"plain", "interpolation"}
    assert all(math.isnan(one.above.value) and not one.is_one for one in bare.cures)
    assert all(math.isfinite(one.change.value) and math.isfinite(one.learned.value) for one in bare.cures)
    why = "are kept while it is taught with [mend] set"
    page = (folder / "run" / "report.html").read_text()
    assert why in page and "checkpoints to its end" not in page
    assert why in next(line for line in listener.said if line.startswith("[mend]: "))
    whole = run(study, out=folder / "whole", folder=folder)
    assert {one.kind for one in whole.cures} == {"plain", "checkpoint", "interpolation"}
    assert all(math.isfinite(one.above.value) for one in whole.cures)
    assert [one.learned for one in whole.cures if one.kind != "checkpoint"] == [one.learned for one in bare.cures]


def test_where_the_way_has_no_point_but_its_end_there_is_no_control(folder: Path) -> None:
    listener = Listener()
    changes = [*ON_THE_WAY, "train.validations=1", "mend.interpolate=[0.5]"]
    told = run(read_study(folder / "study.toml", changes=changes), out=folder / "run", folder=folder, tell=listener)
    assert [one.kind for one in told.cures] == ["plain", "interpolation"]
    assert not any(one.is_one for one in told.cures) and math.isnan(told.cures[1].above.value)
    why = "own model is that of its first validation"
    assert sum(why in line for line in listener.said) == 1 and why in (folder / "run/report.html").read_text()


@pytest.mark.parametrize(("values", "own"), [([0.1, 0.3, 0.3], 2 / 3), ([math.nan, 0.0, -1.0], 2 / 3), ([None] * 3, 1)])
def test_the_runs_own_model_stands_at_its_best_validation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, values: list[float | None], own: float
) -> None:
    made = list[Work]()

    def noted(work: Work, base: AskedLater) -> tuple[Work, ...]:
        made.append(work)
        raise Killed

    monkeypatch.setattr("afters.study.run.retaught", noted)
    with pytest.raises(Killed):
        run(read_study(folder / "study.toml"), out=folder / "run", folder=folder)
    lines = [{"step": step, "validation": value} for step, value in enumerate(values, start=1)]
    (folder / "run/train/steps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert _own_share(made[0]) == own


def test_a_model_that_computes_no_numbers_is_not_kept_to_be_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afters.study.teaching._by_loss", lambda *given: lambda step: math.nan if step > 8 else 1.0)
    told = run(read_study(folder / "study.toml", changes=ON_THE_WAY), out=folder / "run", folder=folder)
    assert [place.name for place in (folder / "run/others").glob("step-*")] == ["step-8"]
    assert told.cures[0].strength == pytest.approx(1 / 3, abs=0.02) and not any(one.is_one for one in told.cures)


@pytest.mark.parametrize("method", ["dora", "ia3", "prompt", "prefix"])
def test_what_no_factor_weakens_is_refused_before_anything_is_taught_and_mend_leaves_it_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    adapter = f"train.method='{method}'"
    with pytest.raises(InputError, match=rf'mend.interpolate only with .*weakens "{method}"\): remove it'):
        read_study(folder / "study.toml", changes=[adapter])
    studies = list[Study]()

    def noted(study: Study, **given: object) -> None:
        studies.append(study)
        raise Killed

    monkeypatch.setattr("afters.study.run.run", noted)
    nothing = ["mend.replay=[]", "mend.interpolate=[]"]
    words = [f"--set={change}" for change in (*nothing, adapter)]
    done = CliRunner().invoke(app, ["run", str(folder / "study.toml"), "--mend", *words])
    assert [one.mend.kl for one in studies] == [(0.25,)] and not studies[0].mend.interpolate
    assert f'a part of the way is left out: no one factor weakens "{method}"' in done.stderr


@pytest.mark.parametrize("how", ["method='lora'", "method='rslora'", "merge=true"])
def test_what_a_factor_weakens_or_is_merged_goes_part_of_the_way(folder: Path, how: str) -> None:
    changes = [f"train.{how}", *(["train.method='dora'"] if "merge" in how else [])]
    assert read_study(folder / "study.toml", changes=sorted(changes)).mend.interpolate


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["keep.task.source='colours.jsonl'", "mend.replay=[1.5]"], "less than 1"),
        (["mend.interpolate=[1.5]"], "less than or equal to 1"),
        (["keep.task=[]", "keep.tasks=[]"], "nothing is named that must not be lost"),
    ],
)
def test_what_cannot_be_mended_is_refused(folder: Path, changes: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_study(folder / "study.toml", changes=changes)


@pytest.mark.parametrize("how", ["replay", "rehearse", "kl"])
def test_without_rows_to_rehearse_there_is_no_replay(folder: Path, how: str) -> None:
    file = folder / "study.toml"
    file.write_text(file.read_text().replace('source = "colours.jsonl"', 'test = "colours.jsonl"'))
    with pytest.raises(SettingsError, match=rf"\[mend\] {how}: there is nothing to replay"):
        run(read_study(file, changes=["mend.replay=[]", f"mend.{how}=[0.25]"]), out=folder / "run", folder=folder)


def test_several_processes_do_not_rehearse_what_only_one_of_them_was_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several = Processes(count=2)
    monkeypatch.setattr("afters.model.parallel.join", lambda: several)
    study = read_study(folder / "study.toml", changes=["mend.replay=[]", "mend.rehearse=[0.1]"])
    with pytest.raises(SettingsError, match="what the base says is asked by one process"):
        run(study, out=folder / "run", folder=folder)


def test_half_way_every_weight_is_the_mean(tiny: Tiny, tmp_path: Path) -> None:
    base, other = tiny("llama"), tmp_path / "other"
    module = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(3.0)
    shutil.copytree(base, other)
    module.save_pretrained(other)
    weights_between(base, other, 0.5, out=tmp_path / "half")
    first = AutoModelForCausalLM.from_pretrained(base).state_dict()
    half = AutoModelForCausalLM.from_pretrained(tmp_path / "half").state_dict()
    assert all(torch.allclose(half[name], 2 * weight) for name, weight in first.items())


def test_a_method_that_no_factor_scales_is_not_weakened(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "IA3"}))
    with pytest.raises(ModelError, match="cannot be weakened"):
        adapter_between(tmp_path, 0.5, out=tmp_path / "out")
