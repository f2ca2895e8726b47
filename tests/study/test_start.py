"""A study that starts from a configuration: random weights, its own tokenizer, texts without questions."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from tiny_models import SENTENCES, Tiny

from afters.config import study_of
from afters.errors import DataError, InputError, Problems, RunFolderError, SettingsError
from afters.preview import preview, show
from afters.study.reading import read_tasks
from afters.study.run import run
from afters.study.settings import Study

T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 1, "dropout_rate": 0.0}
LLAMA = {
    **{"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
    **{"num_attention_heads": 2, "max_position_embeddings": 128},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two configurations, and passages.jsonl: sixty texts."""
    (tmp_path / "t5.json").write_text(json.dumps(T5))
    (tmp_path / "llama.json").write_text(json.dumps(LLAMA))
    texts = [f"Passage {number}: {SENTENCES[number % 3]}" for number in range(60)]
    (tmp_path / "passages.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return tmp_path


def study(base: str = "t5.json", *, objective: str = "span_corruption", **changes: Any) -> Study:
    task = {"name": "passages", "source": "passages.jsonl", "objective": objective, "text": "text"}
    settings: dict[str, Any] = {
        "name": "scratch",
        "seed": 3,
        "model": {"base": base, "precision": "fp32", "tokenizer": {"vocabulary": 420}},
        "task": [{**task, **changes.pop("more", {})}],
        "train": {"epochs": 2, "batch_rows": 8, "learning_rate": 0.01, "validations": 2},
        "judge": {"max_new_tokens": 8},
    }
    return study_of({**settings, **changes})


@pytest.mark.parametrize(
    ("base", "objective"),
    [("t5.json", "span_corruption"), ("t5.json", "continuation"), ("llama.json", "continuation")],
)
def test_a_model_from_scratch_is_asked_taught_and_asked_again(folder: Path, base: str, objective: str) -> None:
    told = run(study(base, objective=objective), out=folder / "run", folder=folder)
    before, after = (told.result(label, task="passages").score("perplexity").value for label in ("before", "after"))
    assert after < 0.7 * before
    assert {result.label for result in told.results} == {"before", "after"}, "nothing stands in a text's place"
    assert told.headline.verdict.startswith("improved")


def test_its_model_is_fine_tuned_by_a_second_study_as_any_other(folder: Path) -> None:
    run(study(), out=folder / "run", folder=folder)
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(90)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    tickets = {"name": "tickets", "source": "tickets.csv", "wordings": ["{{ message }}"], "answer": "{{ team }}"}
    kept: dict[str, list[str]] = {"tasks": []}
    second = study_of({**study().plain(), "model": {"base": "run/model"}, "task": [tickets], "keep": kept})
    told = run(second, out=folder / "tuned", folder=folder)
    assert told.headline.task == "tickets"


def test_texts_and_questions_are_taught_together(folder: Path) -> None:
    lines = [f"Message {number},{'ab'[number % 2]}" for number in range(90)]
    (folder / "tickets.csv").write_text("\n".join(["message,team", *lines]) + "\n")
    tickets = {"name": "tickets", "source": "tickets.csv", "wordings": ["{{ message }}"], "answer": "{{ team }}"}
    one = study().plain()
    tasks = [one["task"][0], {**tickets, "metrics": ["exact_match"]}]
    with pytest.raises(SettingsError, match="different directions"):
        run(study_of({**one, "task": tasks}), out=folder / "run", folder=folder)
    assert not (folder / "run").exists()
    settings = {**one, "task": tasks, "train": {**one["train"], "keep_best_by": "loss"}, "before": {"shots": [0, 1]}}
    told = run(study_of(settings), out=folder / "other", folder=folder)
    assert {result.label for result in told.results if result.task == "tickets"} > {"shots=1", "nearest"}
    assert {result.label for result in told.results if result.task == "passages"} == {"before", "after"}


def test_equal_studies_from_scratch_give_equal_verdicts_and_other_seeds_others(folder: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        run(study(seed=seed), out=folder / name, folder=folder)
    weights = [
        (folder / name / "start" / "model" / "model.safetensors").read_bytes() for name in ("one", "two", "other")
    ]
    verdicts = [(folder / name / "verdict.json").read_bytes() for name in ("one", "two", "other")]
    assert weights[0] == weights[1] != weights[2]
    assert verdicts[0] == verdicts[1] != verdicts[2]


def test_what_is_hidden_depends_on_row_and_seed_and_of_judged_rows_on_the_row_alone(folder: Path) -> None:
    """Else two seeds of one recipe would be judged on other questions."""
    rows = [json.loads(line) for line in (folder / "passages.jsonl").read_text().splitlines()]
    sides = ["train"] * 50 + ["validation"] * 5 + ["test"] * 5
    lines = [json.dumps({**row, "side": side}) + "\n" for row, side in zip(rows, sides, strict=True)]
    (folder / "passages.jsonl").write_text("".join(lines))
    one, two = (
        read_tasks(study(seed=seed, more={"split_column": "side"}), folder=folder, strict=True)[0] for seed in (3, 4)
    )
    taught = [{example.draw for example in task.train} for task in (one, two)]
    assert len(taught[0]) == 50 and not taught[0] & taught[1]
    judged = [[example.draw for example in task.test] for task in (one, two)]
    assert len(set(judged[0])) == 5 and judged[0] == judged[1]
    assert one.test.fingerprint == two.test.fingerprint


def test_a_run_goes_on_from_its_own_start_and_refuses_another(folder: Path) -> None:
    run(study(), out=folder / "run", folder=folder)
    place = folder / "run" / "start" / "model" / "model.safetensors"
    drawn = place.stat().st_mtime_ns
    run(study(), out=folder / "run", folder=folder)
    assert place.stat().st_mtime_ns == drawn
    (folder / "t5.json").write_text(json.dumps({**T5, "d_ff": 48}))
    with pytest.raises(RunFolderError, match="another configuration"):
        run(study(), out=folder / "run", folder=folder)
    assert place.stat().st_mtime_ns == drawn


def test_preview_learns_the_tokenizer_and_shows_the_holes(folder: Path) -> None:
    said = Console(width=200, record=True, file=io.StringIO())
    show(preview(study(), folder=folder), rows=1, console=said)
    shown = said.export_text()
    assert shown.count("<extra_id_0>") == 3, "read and taught of a row to teach, read of a row to judge"
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(
    ("base", "changes", "said"),
    [
        ("t5.json", {"model": {"base": "t5.json"}}, "no tokenizer for a model that starts from t5.json"),
        ("t5.json", {"model": {"base": "t5.json", "tokenizer": {"vocabulary": 300}}}, "at least 358"),
        ("llama.json", {}, "a decoder alone"),
        ("t5.json", {"more": {"text": "txt"}}, "did you mean 'text'"),
        ("t5.json", {"more": {"metrics": ["rouge"]}}, '["perplexity"]'),
    ],
)
def test_what_cannot_start_is_refused_before_anything_is_written(
    folder: Path, base: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        run(study(base, **changes), out=folder / "run", folder=folder)
    assert said in str(caught.value)
    assert not (folder / "run").exists()


def test_a_model_with_weights_keeps_its_tokenizer(folder: Path, tiny: Tiny) -> None:
    settings = {"base": str(tiny("t5")), "tokenizer": {"vocabulary": 420}}
    with pytest.raises(SettingsError, match="a model with weights has its tokenizer"):
        run(study(model=settings), out=folder / "run", folder=folder)


def test_a_tokenizer_is_not_taken_and_learnt_at_once(folder: Path, tiny: Tiny) -> None:
    (folder / "model").mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / "model" / name).write_bytes((tiny("llama") / name).read_bytes())
    with pytest.raises(SettingsError, match="two tokenizers"):
        run(
            study("model", objective="continuation", model={"base": "model", "tokenizer": {}}),
            out=folder / "run",
            folder=folder,
        )
    told = run(study(objective="continuation", model={"base": "model"}), out=folder / "run", folder=folder)
    assert told.headline.metric == "perplexity"


def test_faults_of_the_configuration_are_told_with_the_data_s(folder: Path) -> None:
    (folder / "t5.json").write_text(json.dumps({**T5, "d_modle": 2}))
    with pytest.raises(Problems) as caught:
        run(study(more={"text": "txt"}), out=folder / "run", folder=folder)
    assert "did you mean 'd_model'" in str(caught.value) and "did you mean 'text'" in str(caught.value)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"objective": "span_corruption"}, "needs `text`"),
        ({"objective": "span_corruption", "text": "a }} b"}, "needs `text`"),
        ({"objective": "continuation", "text": "a", "wordings": ["{{ a }}"]}, "takes no `wordings`"),
        ({"text": "a", "wordings": ["{{ a }}"], "answer": "{{ b }}"}, "needs an `objective`"),
    ],
)
def test_a_text_is_not_asked_about(task: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        study_of({"name": "x", "task": [{"name": "x", "source": "a.csv", **task}]})


def test_long_texts_are_cut_or_refused_as_questions_are(folder: Path) -> None:
    with (folder / "passages.jsonl").open("a") as file:
        file.write(json.dumps({"text": "A long text. " * 400}) + "\n")
    model = {"base": "t5.json", "precision": "fp32", "max_prompt_tokens": 120, "tokenizer": {"vocabulary": 420}}
    run(study(model=model), out=folder / "run", folder=folder)
    account = json.loads((folder / "run" / "data.json").read_text())["passages"]
    assert sum(counts["prompts cut"] for counts in account["cut"].values()) == 1
    with pytest.raises(InputError, match=r"passages\.jsonl:61: prompt of"):
        run(study(model=model, more={"too_long": "error"}), out=folder / "other", folder=folder)


def test_texts_of_nothing_are_set_aside(folder: Path) -> None:
    (folder / "passages.jsonl").write_text('{"text": ""}\n')
    with pytest.raises(DataError, match="no usable row"):
        run(study(), out=folder / "run", folder=folder)
