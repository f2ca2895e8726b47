"""Make afters-tiny, the embedded base model, from prose in the public domain and generated tasks.

    python -m examples.base.make --texts FOLDER --out src/afters/model/tiny

What is fixed is the number of steps, so that the result does not depend on how fast the machine is. The
model's card tells how long the steps took. A run that was stopped goes on where it was when the command is given again.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import T5Config, T5ForConditionalGeneration

from afters.model.load import Loaded, load
from afters.train.lessons import Pairs
from afters.train.loop import train
from afters.train.settings import TrainSettings
from examples.base import card, judging, teaching, tokenizer
from examples.base.start import lay_in_copying
from examples.base.teaching import STAGES

VOCABULARY = 4_096

SETTINGS = TrainSettings(
    epochs=1,
    token_budget=8_192,
    learning_rate=0.03,
    scale_parameter=True,
    warmup=0.03,
    betas=(0.9, 0.98),
    validations=1,
)
"""Of each stage, beside its rows in a step."""

JUDGED_ROWS = 200
CARD = "README.md"
MAX_BYTES = 6_000_000
"""Of all files together."""


def shape() -> T5Config:
    """Return the configuration: T5 v1.1 with tied embeddings, 2.8 million weights."""
    return T5Config(
        vocab_size=VOCABULARY,
        d_model=192,
        d_kv=32,
        num_heads=6,
        d_ff=352,
        num_layers=3,
        num_decoder_layers=2,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        decoder_start_token_id=0,
    )


def begin(folder: Path, pieces: Tokenizer) -> None:
    """Write the untaught model and its tokenizer into `folder`."""
    torch.manual_seed(teaching.SEED)
    model = T5ForConditionalGeneration(shape())
    lay_in_copying(model, seed=teaching.SEED)
    model.save_pretrained(folder)
    tokenizer.save(pieces, folder)


def teach(loaded: Loaded, *, taught: tuple[str, ...], share: float, work: Path) -> float:
    """Teach the model in the house's one loop, stage after stage, and return the seconds that it took."""
    seconds = 0.0
    for place, stage in enumerate(STAGES):
        stage = stage._replace(steps=max(1, round(share * stage.steps)))
        lessons = Pairs(teaching.pairs(stage, seed=teaching.SEED + place, taught=taught, prompter=loaded.prompter))
        settings = SETTINGS.model_copy(update={"batch_rows": stage.batch_rows, "schedule": stage.schedule})
        train(
            loaded.network,
            lessons,
            settings,
            seed=teaching.SEED,
            folder=work / stage.name,
            precision=loaded.precision,
            on_step=_tell,
        )
        # Counted from the log, so that a run in several goes tells its whole time.
        log = (work / stage.name / "steps.jsonl").read_text().splitlines()
        seconds += sum(json.loads(line)["seconds"] for line in log)
    return seconds


def _tell(step: int, steps: int, loss: float) -> None:
    if step % 50 == 0:
        print(f"step {step}/{steps}: loss {loss:.3f}", flush=True)


def ship(loaded: Loaded, pieces: Tokenizer, out: Path) -> None:
    """Write the taught model, in bf16, and its tokenizer into `out`."""
    module: Any = loaded.network.module
    out.mkdir(parents=True, exist_ok=True)
    module.to(torch.bfloat16).save_pretrained(out)
    (out / "model.safetensors").chmod(0o644)
    tokenizer.save(pieces, out)


def main() -> None:
    """Read, teach, ship, judge, and write the card."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    prose = teaching.read_prose(arguments.texts)
    pieces = tokenizer.train(teaching.tokenizer_texts(prose.taught), size=VOCABULARY)
    begin(arguments.work / "start", pieces)
    loaded = load(arguments.work / "start", for_training=True)
    seconds = teach(loaded, taught=prose.taught, share=arguments.share, work=arguments.work)
    ship(loaded, pieces, arguments.out)
    shipped = load(arguments.out)
    scores = judging.judge(shipped, prose=prose.held_out, rows=JUDGED_ROWS)
    loss = judging.prose_loss(shipped, prose=prose.held_out, passages=JUDGED_ROWS)
    size = sum(path.stat().st_size for path in arguments.out.iterdir() if path.name != CARD)
    made = card.Made(
        shape=_told(shape()),
        weights=sum(weight.numel() for weight in loaded.network.module.parameters()),
        vocabulary=VOCABULARY,
        bytes=size,
        seconds=seconds,
        threads=arguments.threads,
        precision=shipped.precision,
        loss=loss,
    )
    (arguments.out / CARD).write_text(card.text(made, scores), encoding="utf-8")
    print(f"{arguments.out}: {size:,} bytes, taught for {seconds:.0f} s")
    assert size + (arguments.out / CARD).stat().st_size <= MAX_BYTES, f"more than {MAX_BYTES:,} bytes"


def _told(config: T5Config) -> str:
    return (
        f"{config.num_layers} encoder and {config.num_decoder_layers} decoder layers, {config.d_model} wide, "
        f"{config.num_heads} heads of {config.d_kv}, gated GELU of {config.d_ff}, tied embeddings"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make afters-tiny, the embedded base model.")
    parser.add_argument("--texts", type=Path, required=True, help="folder under which the texts of prose.py lie")
    parser.add_argument("--out", type=Path, required=True, help="folder for the model")
    parser.add_argument("--work", type=Path, default=Path("runs/base"), help="folder for checkpoints; may be deleted")
    parser.add_argument("--share", type=float, default=1.0, help="share of the steps; a tenth gives a poor model soon")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
