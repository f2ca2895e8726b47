"""What is shipped, and the card that tells it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, T5Config, T5ForConditionalGeneration

from afters.metrics.table import metric_for
from afters.records import Case, Example, Prediction, Result, Score
from afters.runfolder import RunFolder
from afters.study.judging import Judged
from examples.base import card, ship, tokenizer
from examples.base.overlap import Overlap
from examples.base.shown import CHANCE

BITS = Score("bits_per_byte", "bits_per_byte", 1.95, "corpus", "lower", 400, 0, "v1", low=1.9, high=2.0)

SIGNATURE = metric_for("accuracy").signature


def accuracy(task: str) -> Result:
    asked = Example(f"{task}:1", task, "rows.jsonl:1", "Is it?", "1", "Is it?", ("yes",), choices=("yes", "no"))
    case = Case(asked.id, asked.id, (asked,), (Prediction(asked.id, ("yes",)),))
    score = Score("accuracy", "accuracy", 0.75, "binary", "higher", 500, 0, SIGNATURE, low=0.7, high=0.8)
    return Result("asked", task, {}, (case,), {"accuracy": ((1.0,),)}, (score,))


def judged(*results: Result) -> Judged:
    return Judged("shown", "model", results, {one.task: one.scores[0].name for one in results})


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as a run leaves it: weights in fp32."""
    folder: Path = tmp_path_factory.mktemp("taught")
    torch.manual_seed(0)
    sizes = {"vocab_size": 400, "d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 8, "num_layers": 1}
    T5ForConditionalGeneration(T5Config(**sizes, feed_forward_proj="gated-gelu")).save_pretrained(folder)
    tokenizer.save(tokenizer.train(["Is it? It is."], size=400), folder)
    return folder


def test_what_is_shipped_is_the_taught_model_in_bf16(taught: Path, tmp_path: Path) -> None:
    ship.ship(taught, tmp_path / "out")
    before = AutoModelForSeq2SeqLM.from_pretrained(taught).state_dict()
    after = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out", dtype="auto").state_dict()
    assert {weight.dtype for weight in after.values()} == {torch.bfloat16}
    assert all(torch.equal(weight.to(torch.bfloat16), after[name]) for name, weight in before.items())
    assert AutoTokenizer.from_pretrained(tmp_path / "out").decode([3, 4]) == AutoTokenizer.from_pretrained(
        taught
    ).decode([3, 4])
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in (tmp_path / "out").iterdir())


def test_the_card_tells_what_was_taught_and_what_it_scores(
    taught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship.ship(taught, tmp_path / "out")
    monkeypatch.setattr("examples.base.scores.terms_told", lambda judged: "sailor 0.90 (9)")
    halves = replace(accuracy("halves"), scores=(BITS,))
    run = RunFolder(tmp_path / "run")
    steps = [
        {"step": n, "rows": 8, "seconds": 30.0, "tasks": {"form": {"rows": 3}, "topic": {"rows": 5}}} for n in (1, 2)
    ]
    run.write("train/steps.jsonl", "".join(json.dumps(step) + "\n" for step in steps))
    on_gpu = RunFolder(tmp_path / "gpu")
    on_gpu.write("train/steps.jsonl", json.dumps({**steps[0], "seconds": 180.0}) + "\n")
    told = card.Told(
        stages=[card.stage("mixture", run), card.stage("longer", on_gpu)],
        judged=judged(accuracy("topic"), halves),
        choices=judged(*map(accuracy, CHANCE)),
        held_out=judged(accuracy("one")),
        overlaps=[Overlap("MMLU", 9, 1, 0)],
    )
    text = card.text(tmp_path / "out", told)
    assert "| `mixture.toml` | 16 | 2 | 1 |" in text
    assert "| `longer.toml` | 8 | 1 | 3 |" in text
    assert "1 minutes on two processor threads, then 3 on an H100" in text
    assert "topic 5, form 3." in text
    assert "1.950 [1.900, 2.000] bits per byte" in text and "passages" in text
    assert "| topic | 500 | accuracy | 0.750 [0.700, 0.800] | 0.500 (guessing) |" in text
    assert "| MMLU | 9 | 1 | 0 |" in text
    assert "{" not in text and "}" not in text
