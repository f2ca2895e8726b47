"""The tokenizer of afters-tiny, learnt from its rows, and its first weights, which can already copy.

    python -m examples.base.begin

`afters run` goes on from there: a folder with weights and a tokenizer is a base like any other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from transformers import T5Config, T5ForConditionalGeneration

from examples.base import tokenizer
from examples.base.start import lay_in_copying
from examples.base.write import OUT, SEED

VOCABULARY = 8_192

SAMPLE = 6_000
"""Rows of each file that the tokenizer learns its pieces from."""


def shape() -> T5Config:
    """Return the configuration: T5 v1.1 with tied embeddings, 7.8 million weights, 15.6 MB in bf16."""
    return T5Config(
        vocab_size=VOCABULARY,
        d_model=256,
        d_kv=32,
        num_heads=8,
        d_ff=576,
        num_layers=4,
        num_decoder_layers=3,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        decoder_start_token_id=0,
    )


def texts(rows: Path) -> Iterator[str]:
    """Yield what the tokenizer learns from: some rows of every teaching file, each as its texts."""
    for file in sorted({*rows.glob("*.jsonl")} - {*rows.glob("*.test.jsonl")}):
        with file.open(encoding="utf-8") as lines:
            for line in islice(lines, SAMPLE):
                yield "\n".join(value for value in json.loads(line).values() if isinstance(value, str))


def begin(rows: Path, out: Path, *, config: T5Config) -> None:
    """Write the untaught model and its tokenizer into `out`."""
    torch.manual_seed(SEED)
    model = T5ForConditionalGeneration(config)
    lay_in_copying(model, seed=SEED)
    model.save_pretrained(out)
    tokenizer.save(tokenizer.train(texts(rows), size=config.vocab_size), out)


def main() -> None:
    """Learn the tokenizer, draw the weights, write both."""
    parser = argparse.ArgumentParser(description="Write the first weights and the tokenizer of afters-tiny.")
    parser.add_argument("--rows", type=Path, default=OUT, help="folder that examples.base.write wrote")
    parser.add_argument("--out", type=Path, default=Path("runs/base/start"), help="folder for the model")
    arguments = parser.parse_args()
    begin(arguments.rows, arguments.out, config=shape())


if __name__ == "__main__":
    main()
