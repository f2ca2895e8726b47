"""The whole order on a model of a few thousand weights: the same folder, however often it was interrupted."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from tickets import Killed, Killer
from tiny_models import Tiny

from afters.config import study_of
from afters.errors import DataError, RunFolderError
from afters.report.blocks import Section, Table
from afters.report.findings import scores
from afters.report.making import signatures
from afters.report.told import Told
from afters.runfolder import RunFolder
from afters.study.run import run
from afters.study.settings import Study

TEAMS = ("billing", "delivery", "repairs")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with tickets.csv: sixty messages, each for one of three teams."""
    with (tmp_path / "tickets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "team"])
        writer.writerows([f"Message {number} about {TEAMS[number % 3]}.", TEAMS[number % 3]] for number in range(60))
    return tmp_path


def study(base: Path, **changes: dict[str, Any]) -> Study:
    task = {
        "name": "tickets",
        "source": "tickets.csv",
        "fractions": {"train": 0.6, "validation": 0.1, "test": 0.3},
        "wordings": ["Which team? {{ message }}", "{{ message }} Who should answer?"],
        "answer": "{{ team }}",
        "metrics": ["exact_match", "rouge"],
    }
    settings: dict[str, Any] = {
        "name": "tickets",
        "seed": 3,
        "model": {"base": str(base), "precision": "fp32"},
        "task": [task],
        "keep": {"tasks": []},
        "before": {"shots": [0, 1]},
        "train": {"epochs": 2, "batch_rows": 6, "learning_rate": 0.01, "validations": 2},
        "judge": {"max_new_tokens": 4},
    }
    return study_of({**settings, **changes})


def test_a_run_leaves_a_verdict_a_page_and_a_model_that_transformers_loads(rows: Path, tiny: Tiny) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    told = run(study(tiny("t5")), out=rows / "run", folder=rows)
    assert told.headline.kind == "tuning" and told.headline.primary
    assert {comparison.kind for comparison in told.comparisons} >= {"tuning", "baseline"}
    assert told.headline.sentence in (rows / "run" / "report.html").read_text()
    assert AutoModelForSeq2SeqLM.from_pretrained(rows / "run" / "model")
    assert AutoTokenizer.from_pretrained(rows / "run" / "model")


def test_equal_studies_give_equal_verdicts_without_time_path_or_host(rows: Path, tiny: Tiny) -> None:
    for name in ("one", "two"):
        run(study(tiny("t5")), out=rows / name, folder=rows)
    verdict = (rows / "one" / "verdict.json").read_bytes()
    assert verdict == (rows / "two" / "verdict.json").read_bytes()
    assert str(rows).encode() not in verdict and b"seconds" not in verdict


@pytest.mark.parametrize(
    ("stage", "after"), [("tickets: before", 1), ("teaching", 3), ("tickets: after", 1), ("tickets: shots=1", 1)]
)
def test_an_interrupted_study_comes_to_the_same_verdict(rows: Path, tiny: Tiny, stage: str, after: int) -> None:
    run(study(tiny("t5")), out=rows / "whole", folder=rows)
    with pytest.raises(Killed):
        run(study(tiny("t5")), out=rows / "broken", folder=rows, tell=Killer(stage, after=after))
    run(study(tiny("t5")), out=rows / "broken", folder=rows)
    assert (rows / "broken" / "verdict.json").read_bytes() == (rows / "whole" / "verdict.json").read_bytes()


def test_a_finished_study_asks_and_teaches_nothing_again(rows: Path, tiny: Tiny) -> None:
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    before = {path: path.stat().st_mtime_ns for path in (rows / "run").rglob("cases.jsonl")}
    weights = (rows / "run" / "model" / "model.safetensors").stat().st_mtime_ns
    for stage in ("tickets: before", "tickets: after", "teaching"):
        run(study(tiny("t5")), out=rows / "run", folder=rows, tell=Killer(stage, after=0))
    assert before == {path: path.stat().st_mtime_ns for path in (rows / "run").rglob("cases.jsonl")}
    assert weights == (rows / "run" / "model" / "model.safetensors").stat().st_mtime_ns


def test_other_training_settings_are_refused_in_the_same_folder_and_named(rows: Path, tiny: Tiny) -> None:
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    faster = study(tiny("t5"), train={"epochs": 2, "batch_rows": 6, "learning_rate": 0.02, "validations": 2})
    with pytest.raises(RunFolderError, match="another train.learning_rate"):
        run(faster, out=rows / "run", folder=rows)


def test_other_metrics_score_the_answers_that_stand(rows: Path, tiny: Tiny) -> None:
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    settings = study(tiny("t5")).plain()
    settings["task"][0] |= {"metrics": ["exact_match", "bleu"]}
    told = run(study_of(settings), out=rows / "run", folder=rows, tell=Killer("tickets: before", after=0))
    assert {score.name for score in told.result("after", task="tickets").scores} == {"exact_match", "bleu"}


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_declared_after_the_answers_may_be_known_is_told_as_too_late(
    rows: Path, tiny: Tiny, whole: bool
) -> None:
    kept = {"name": "teams", "test": "tickets.csv", "wordings": ["{{ message }}"], "answer": "{{ team }}"}
    first = study(tiny("t5"), keep={"tasks": [], "task": [{**kept, "metrics": ["exact_match"], "margin": 0.1}]})
    if whole:
        assert not too_late(run(first, out=rows / "run", folder=rows))
    else:
        with pytest.raises(Killed):
            run(first, out=rows / "run", folder=rows, tell=Killer("tickets: after", after=1))
    settings = first.plain()
    settings["task"][0] |= {"smallest_effect": 0.25}
    settings["keep"]["task"][0] |= {"margin": 0.5}
    for _ in range(2):
        of_task, of_kept = too_late(run(study_of(settings), out=rows / "run", folder=rows))
        assert of_task.startswith("Declared too late: tickets is judged by exact_match (")
        assert "with a smallest effect of 0.25, after it was judged by exact_match (" in of_task
        assert of_task.endswith("with a smallest effect of 0.")
        assert of_kept.startswith("Declared too late: teams is judged by exact_match (")
        assert "with a margin of 0.5, after" in of_kept and of_kept.endswith("with a margin of 0.1.")
    assert not too_late(run(first, out=rows / "run", folder=rows))


def too_late(told: Told) -> list[str]:
    return [line for line in told.not_measured if line.startswith("Declared too late")]


def test_choices_are_judged_by_all_that_their_probabilities_tell(rows: Path, tiny: Tiny) -> None:
    settings = study(tiny("t5")).plain()
    names = ["accuracy", "choice_accuracy", "macro_f1", "matthews", "brier", "nll", "calibration", "ece", "perplexity"]
    settings["task"][0] |= {"choices": list(TEAMS), "metrics": [*names, "bits_per_byte"]}
    told = run(study_of(settings), out=rows / "run", folder=rows)
    after = told.result("after", task="tickets")
    assert all(score.unjudged == 0 for score in after.scores)
    assert {"choice_accuracy_bytes", "ece_10_bin", "bits_per_byte"} <= {score.name for score in after.scores}
    compared = {comparison.metric for comparison in told.comparisons}
    assert {"matthews", "nll", "bits_per_byte"} <= compared
    assert not {"calibration", "ece_10_bin"} & compared
    reason = f"calibration cannot be judged on {len(after.cases)} Cases; from 300 on it can"
    assert f"tickets, calibration: {reason}." in told.not_measured


def test_the_same_metric_with_other_options_scores_the_answers_anew(rows: Path, tiny: Tiny) -> None:
    mean = run(study(tiny("t5")), out=rows / "run", folder=rows).result("after", task="tickets").score("rouge1")
    settings = study(tiny("t5")).plain()
    settings["task"][0] |= {"best_reference": True}
    told = run(study_of(settings), out=rows / "run", folder=rows, tell=Killer("tickets: before", after=0))
    best = told.result("after", task="tickets").score("rouge1")
    assert "best" in best.signature and "best" not in mean.signature


def test_lora_leaves_an_adapter_and_the_base_as_it_was(rows: Path, tiny: Tiny) -> None:
    before = (tiny("llama") / "model.safetensors").read_bytes()
    told = run(study(tiny("llama"), train={"method": "lora", "epochs": 1}), out=rows / "run", folder=rows)
    assert (rows / "run" / "model" / "adapter_model.safetensors").is_file()
    assert (tiny("llama") / "model.safetensors").read_bytes() == before
    assert told.result("after", task="tickets").identity["adapter"] != "none"


def test_the_same_prompts_are_asked_before_and_after(rows: Path, tiny: Tiny) -> None:
    told = run(study(tiny("llama")), out=rows / "run", folder=rows)
    asked = {
        label: [case.predictions[0].prompt_hash for case in told.result(label, task="tickets").cases]
        for label in ("before", "after", "shots=1")
    }
    assert asked["before"] == asked["after"] != asked["shots=1"]


def test_shots_come_from_the_teaching_side(rows: Path, tiny: Tiny) -> None:
    told = run(study(tiny("t5")), out=rows / "run", folder=rows)
    case = told.result("shots=1", task="tickets").cases[0]
    questions = {shot.question for example in case.examples for shot in example.shots}
    judged = {example.prompt for one in told.result("before", task="tickets").cases for example in one.examples}
    assert questions and not questions & judged


def test_what_cannot_be_compared_is_told_and_ends_no_run(rows: Path, tiny: Tiny) -> None:
    """No team is a fact: not one row can be judged by that."""
    settings = study(tiny("t5")).plain()
    settings["task"][0] |= {"metrics": ["exact_match", "facts"]}
    told = run(study_of(settings), out=rows / "run", folder=rows)
    assert any(line.startswith("tickets, facts: too little to compare (0 of ") for line in told.not_measured)
    assert {one.metric for one in told.comparisons} == {"exact_match"}


def test_the_nearest_row_weighs_nothing_and_is_no_rival_of_who_does(rows: Path, tiny: Tiny) -> None:
    settings = study(tiny("t5")).plain()
    settings["task"][0] |= {"choices": list(TEAMS), "metrics": ["nll", "accuracy"]}
    told = run(study_of(settings), out=rows / "run", folder=rows)
    assert "tickets, nll against the nearest teaching row: it weighs nothing." in told.not_measured
    assert "baseline" not in {one.kind for one in told.comparisons}


def test_rows_that_all_say_the_same_are_refused_before_a_model_is_loaded(rows: Path, tiny: Tiny) -> None:
    (rows / "same.csv").write_text("message,team\n" + "The same.,billing\n" * 5)
    (rows / "train.csv").write_text((rows / "tickets.csv").read_text())
    settings = study(tiny("t5")).plain()
    del settings["task"][0]["source"], settings["task"][0]["fractions"]
    settings["task"][0] |= {"train": "train.csv", "test": "same.csv"}
    with pytest.raises(DataError, match="the judging rows all say the same(.|\n)*received: 5 rows"):
        run(study_of(settings), out=rows / "run", folder=rows)


def test_the_report_can_be_told_again_from_the_folder(rows: Path, tiny: Tiny) -> None:
    told = run(study(tiny("t5")), out=rows / "run", folder=rows)
    again = RunFolder.opened(rows / "run").told()
    assert again.headline.verdict == told.headline.verdict
    assert [score.value for one in again.results for score in one.scores] == [
        score.value for one in told.results for score in one.scores
    ]


def test_rows_in_are_rows_used_and_rows_set_aside(rows: Path, tiny: Tiny) -> None:
    with (rows / "tickets.csv").open("a") as file:
        file.write("A message without a team,\n")
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    account = json.loads((rows / "run" / "data.json").read_text())["tickets"]
    counts = [account[side] for side in ("train", "validation", "test")]
    assert sum(side["read"] for side in counts) == 61
    assert all(side["read"] == side["used"] + side["set_aside"] for side in counts)
    assert sum(entry["count"] for entry in account["set_aside"]) == 1


def test_rows_from_python_are_judged_as_those_of_a_file(rows: Path, tiny: Tiny) -> None:
    settings = study(tiny("t5")).plain()
    from_file = run(study_of(settings), out=rows / "file", folder=rows)
    with (rows / "tickets.csv").open(newline="") as file:
        tables = {"mine": list(csv.DictReader(file))}
    named = study_of({**settings, "task": [{**settings["task"][0], "source": "table:mine"}]})
    from_python = run(named, out=rows / "python", tables=tables)
    assert from_python.headline == from_file.headline
    assert 'source = "table:mine"' in (rows / "python" / "study.toml").read_text()
    with pytest.raises(DataError, match="unknown table 'mine'"):
        run(named, out=rows / "python")


def test_two_tasks_are_taught_together_and_judged_apart(rows: Path, tiny: Tiny) -> None:
    settings = study(tiny("t5")).plain()
    second = {**settings["task"][0], "name": "shouted", "wordings": ["WHICH TEAM? {{ message | upper }}"]}
    told = run(study_of({**settings, "task": [settings["task"][0], second]}), out=rows / "run", folder=rows)
    primaries = [comparison for comparison in told.comparisons if comparison.primary]
    assert [comparison.task for comparison in primaries] == ["tickets", "shouted"]
    assert all(comparison.p_corrected >= comparison.p_value for comparison in primaries)
    accounts = json.loads((rows / "run" / "data.json").read_text()).values()
    assert told.data["train"]["read"] == sum(account["train"]["read"] for account in accounts)
    assert "shouted" in (rows / "run" / "report.html").read_text()
    assert told.validation_name == "the mean of exact_match over the tasks"


def test_each_task_s_table_begins_with_the_score_that_decides_there(rows: Path, tiny: Tiny) -> None:
    settings = study(tiny("t5")).plain()
    second = {**settings["task"][0], "name": "words", "primary": "rouge1", "stem": False}
    told = run(study_of({**settings, "task": [settings["task"][0], second]}), out=rows / "run", folder=rows)
    tables = [block for block in scores(told).blocks if isinstance(block, Table)]
    assert [table.rows[0][0].text for table in tables] == ["exact_match", "rouge1"]
    assert [("primary" in cell.note, cell.text) for cell in (tables[1].rows[0][0], tables[1].rows[1][0])] == [
        (True, "rouge1"),
        (False, "exact_match"),
    ]
    stems = {row[1].text for row in table_of(signatures(told)).rows if row[0].text == "rouge"}
    assert len(stems) == 2, "two tasks, two ways to score"


def table_of(section: Section) -> Table:
    return next(block for block in section.blocks if isinstance(block, Table))


def test_results_of_other_settings_are_not_told(rows: Path, tiny: Tiny) -> None:
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    told = run(study(tiny("t5"), before={"shots": [0], "nearest": False}), out=rows / "run", folder=rows)
    assert [result.label for result in told.results] == ["before", "after"]


def test_a_tuned_model_that_finds_no_room_is_told_and_written_when_there_is(
    rows: Path, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import T5ForConditionalGeneration

    def full(self: object, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    settings = study(tiny("t5"))  # the tiny model is saved before saving fails
    with monkeypatch.context() as patched, pytest.raises(RunFolderError, match="the tuned model could not be written"):
        patched.setattr(T5ForConditionalGeneration, "save_pretrained", full)
        run(settings, out=rows / "run", folder=rows)
    assert not (rows / "run" / "model").exists() and not (rows / "run" / ".model.draft").exists()
    run(settings, out=rows / "run", folder=rows, tell=Killer("teaching", after=1))
    assert (rows / "run" / "model" / "model.safetensors").is_file()
