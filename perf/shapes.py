"""The two models that training is measured on, drawn anew, and the rows of DialogSum they are taught.

Needs the development data (AFTERS_DATA, or shared/data beside the checkout).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

TOLD = {
    "t5": "T5 (256 wide, 4+4 layers, 8k vocabulary)",
    "decoder": "Llama (256 wide, 6 layers, 32k vocabulary)",
}

LONGEST = 512
"""Tokens: of a prompt for the T5, of prompt and answer for the decoder-only model."""


def data() -> Path:
    """Return where the development data lie."""
    return Path(os.environ.get("AFTERS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def dialogsum(side: str) -> list[dict[str, str]]:
    path = data() / "dialogsum" / f"dialogsum.{side}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def prepare(name: str, folder: Path, *, width: int = 256) -> tuple[Path, Path, int]:
    """Draw the model, train its tokenizer on DialogSum, and encode the rows: (model, rows, teaching rows)."""
    import torch
    import transformers

    taught, judged = dialogsum("train"), dialogsum("dev")
    tokenizer = train_tokenizer(taught, vocabulary=8_000 if name == "t5" else 32_000)
    torch.manual_seed(1)
    module: Any = (t5 if name == "t5" else _llama)(transformers, tokenizer, width)
    model = folder / name
    module.save_pretrained(model)
    tokenizer.save_pretrained(model)
    rows = [_encoded(row, tokenizer, decoder=name == "decoder") for row in (*taught, *judged)]
    (folder / f"{name}.json").write_text(json.dumps(rows))
    return model, folder / f"{name}.json", len(taught)


def t5(transformers: Any, tokenizer: Any, width: int) -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            **{"vocab_size": len(tokenizer), "d_model": width, "d_ff": 11 * width // 4},
            **{"d_kv": width // 4, "num_heads": 4, "num_layers": 4, "feed_forward_proj": "gated-gelu"},
            **{"dropout_rate": 0.1, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        )
    )


def _llama(transformers: Any, tokenizer: Any, width: int) -> Any:
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **{"vocab_size": len(tokenizer), "hidden_size": width, "intermediate_size": 11 * width // 4},
            **{"num_hidden_layers": 6, "num_attention_heads": 4, "max_position_embeddings": 1024},
            **{
                "attention_dropout": 0.1,
                "tie_word_embeddings": True,
                "pad_token_id": 0,
                "bos_token_id": 1,
                "eos_token_id": 1,
            },
        )
    )


def train_tokenizer(rows: list[dict[str, str]], *, vocabulary: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=["<pad>", "</s>"], show_progress=False)
    backend.train_from_iterator((row[name] for row in rows for name in ("dialogue", "summary")), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")


def _encoded(row: dict[str, str], tokenizer: Any, *, decoder: bool) -> dict[str, list[int]]:
    answer = tokenizer(row.get("summary") or row["summary1"]).input_ids + [1]
    prompt = tokenizer(f"Summarise this dialogue.\n{row['dialogue']}\n").input_ids
    return {"prompt": prompt[: LONGEST - (len(answer) if decoder else 0)], "answer": answer}
