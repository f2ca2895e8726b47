"""Make what was taught into what is shipped: weights in bf16, tokenizer, and a card that tells what they score.

    python -m examples.base.ship --data FOLDER --out src/afters/model/tiny

What the card says is measured on the files as they are shipped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import AutoModelForSeq2SeqLM

from afters.runfolder import RunFolder
from examples.base import card, overlap, scores, shown, tokenizer
from examples.base.write import OUT as ROWS

STAGES = ("short", "prose", "mixture", "longer")
"""The four studies, each with its run folder."""

CARD = "README.md"
MAX_BYTES = 16_000_000
"""Of the weights."""


def ship(taught: Path, out: Path) -> None:
    """Write a model's weights, in bf16, and its tokenizer into `out`."""
    out.mkdir(parents=True, exist_ok=True)
    module: Any = AutoModelForSeq2SeqLM.from_pretrained(taught)
    module.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    tokenizer.save(Tokenizer.from_file(str(taught / "tokenizer.json")), out)


def main() -> None:
    """Ship the model, ask it everything, write its card."""
    arguments = _arguments()
    *studies, last = STAGES
    folders = {stage: RunFolder.opened(arguments.runs / stage) for stage in studies}
    folders[last] = RunFolder(arguments.runs / last)
    assert folders[last].steps(), f"{arguments.runs / last} has no log of its steps"
    ship(folders[last].path / "model", arguments.out)
    model, asked = str(arguments.out), arguments.runs / "shipped"
    judged_here = {**overlap.own_judged_rows(ROWS), **overlap.judged_rows(arguments.data)}
    told = card.Told(
        stages=[card.stage(name, folder) for name, folder in folders.items()],
        judged=scores.ask(model, out=asked / "taught"),
        choices=shown.ask(model, arguments.data, asked / "choices"),
        held_out=shown.ask_held_out(model, arguments.data, asked),
        overlaps=overlap.count(judged_here, overlap.taught_texts(ROWS)),
    )
    (arguments.out / CARD).write_text(card.text(arguments.out, told), encoding="utf-8")
    size = (arguments.out / "model.safetensors").stat().st_size
    print(f"{arguments.out}: {size:,} bytes of weights")
    assert size <= MAX_BYTES, f"more than {MAX_BYTES:,} bytes"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Ship afters-tiny, the embedded base model.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the development data")
    parser.add_argument("--runs", type=Path, default=Path("runs/base"), help="where the four studies' runs lie")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    return parser.parse_args()


if __name__ == "__main__":
    main()
