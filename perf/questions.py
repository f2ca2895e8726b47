"""What answering is measured on: a model, and rows as token ids.

Needs the development data (AFTERS_DATA, or shared/data beside the checkout). Weights are random but for the embedded
base, which writes answers that end; tokenizers are GPT-2's own, and one trained on DialogSum.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

from shapes import data, dialogsum, t5, train_tokenizer

SUBJECTS = (
    *("anatomy", "astronomy", "college_biology", "computer_security", "econometrics"),
    *("global_facts", "human_sexuality", "marketing", "nutrition", "philosophy"),
)
QUESTIONS, SHOTS, PLACES = 60, 5, 1024

Row = dict[str, Any]


class Asked(NamedTuple):
    """A model's folder, and a file of rows."""

    model: Path
    rows: Path
    count: int


def prepare(name: str, folder: Path) -> Asked:
    """Write the model and the rows of a task into `folder`."""
    model, rows = {"dialogsum": _written, "mmlu": _mmlu, "mmlu-t5": _mmlu_t5, "hellaswag": _hellaswag}[name](folder)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(rows))
    return Asked(model, path, len(rows))


def _written(folder: Path) -> tuple[Path, list[Row]]:
    from afters.model import files
    from afters.model.load import prompter_of

    model = files.find("afters-tiny")
    tokenizer = prompter_of(model).tokenizer
    texts = [f"Summarise this dialogue.\n{row['dialogue']}" for row in dialogsum("test")]
    return model, [{"prompt": tokenizer(text).input_ids} for text in dict.fromkeys(texts)][:500]


def _mmlu(folder: Path) -> tuple[Path, list[Row]]:
    model, tokenizer = _gpt2(folder / "gpt2")
    return model, _few_shots(tokenizer, begin=[], end=[], places=PLACES - 2)


def _mmlu_t5(folder: Path) -> tuple[Path, list[Row]]:
    import torch
    import transformers

    tokenizer = train_tokenizer(dialogsum("train"), vocabulary=8_000)
    torch.manual_seed(1)
    model = folder / "t5"
    t5(transformers, tokenizer, 256).save_pretrained(model)
    tokenizer.save_pretrained(model)
    return model, _few_shots(tokenizer, begin=[], end=[1], places=PLACES)


def _few_shots(tokenizer: Any, *, begin: list[int], end: list[int], places: int) -> list[Row]:
    """Questions as Hendrycks et al. ask them (arXiv:2009.03300), five solved ones before each."""
    rows = []
    for subject in SUBJECTS:
        about = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
        solved = [f"{_question(row)} {row[5]}\n\n" for row in _table("dev", subject)[:SHOTS]]
        prompts = [tokenizer(about + "".join(solved) + _question(row)).input_ids for row in _table("test", subject)]
        fits = [[*prompt, *end] for prompt in prompts if len(prompt) + len(end) <= places]
        assert len(fits) >= QUESTIONS, f"{subject}: {len(fits)} prompts fit"
        choices = [tokenizer(f" {letter}", add_special_tokens=False).input_ids for letter in "ABCD"]
        rows += [{"prompt": prompt, "choices": choices} for prompt in fits[:QUESTIONS]]
    return rows


def _question(row: list[str]) -> str:
    answers = "".join(f"\n{letter}. {text}" for letter, text in zip("ABCD", row[1:5], strict=True))
    return f"{row[0]}{answers}\nAnswer:"


def _table(side: str, subject: str) -> list[list[str]]:
    with (data() / "mmlu" / side / f"{subject}_{side}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def _hellaswag(folder: Path) -> tuple[Path, list[Row]]:
    model, tokenizer = _gpt2(folder / "gpt2")
    lines = (data() / "hellaswag_sample" / "hellaswag_val_1000.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines][:400]
    return model, [
        {
            "prompt": tokenizer(f"{row['activity_label']}: {row['ctx']}").input_ids,
            "choices": [tokenizer(f" {ending}").input_ids for ending in row["endings"]],
        }
        for row in rows
    ]


def _gpt2(model: Path) -> tuple[Path, Any]:
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel, GPT2TokenizerFast

    files = data() / "weights" / "gpt2"
    tokenizer = GPT2TokenizerFast(vocab=str(files / "vocab.json"), merges=str(files / "merges.txt"))
    if not model.is_dir():
        torch.manual_seed(1)
        GPT2LMHeadModel(GPT2Config(n_embd=256, n_layer=6, n_head=4, n_positions=PLACES)).save_pretrained(model)
        tokenizer.save_pretrained(model)
    return model, tokenizer
