"""Tiny random models of every family, saved as transformers saves them, so that the real way of loading is tested.

Matrices are drawn wide and embeddings narrow, so that a token's successors depend on more than the token itself and
the most probable one leads by far more than rounding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest

Kind = Literal[
    "t5",
    "t5-untied",
    "bart",
    "llama",
    "gpt2",
    "qwen2",
    "mt5",
    "pegasus",
    "qwen3",
    "gemma",
    "gemma2",
    "phi",
    "mistral",
]
Tiny = Callable[[Kind], Path]

KINDS: tuple[Kind, ...] = ("t5", "t5-untied", "bart", "llama", "gpt2", "qwen2")
"""One of each kind of tokenizer and of network."""

FAMILIES: tuple[Kind, ...] = (*KINDS, "mt5", "pegasus", "qwen3", "gemma", "gemma2", "phi", "mistral")
"""Every kind that `tiny` builds."""

ENCODER_DECODERS: tuple[Kind, ...] = ("t5", "t5-untied", "bart", "mt5", "pegasus")

LIKE: dict[str, str] = {
    **{"t5-untied": "t5", "mt5": "t5", "pegasus": "t5", "qwen3": "qwen2", "gemma": "llama", "gemma2": "llama"},
    **{"phi": "gpt2", "mistral": "llama"},
}
"""Whose tokenizer a kind has, where it has none of its own."""

SENTENCES = (
    "Summarise this chat. The parcel for Ann has not come, and she wants it sent to her office on Tuesday.",
    "What does the customer want? A refund, a new lamp, or only an answer: yes or no?",
    "It is cold outside; the kettle is broken, and nobody knows why. Please call me back after 5 pm!",
    "user assistant system You are helpful. question answer 0123456789",
)

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The ChatML layout, as Qwen's models use it."""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Give the folder of a tiny model by its kind; each is built once."""

    @cache
    def folder(kind: Kind) -> Path:
        path = tmp_path_factory.mktemp("tiny") / kind
        save_tiny(kind, path)
        return path

    return folder


def untouched(folder: Path) -> Any:
    """Return the model in `folder` as transformers makes it: the measure of ours, which runs with other attention."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM

    reads = AutoConfig.from_pretrained(folder).is_encoder_decoder
    return (AutoModelForSeq2SeqLM if reads else AutoModelForCausalLM).from_pretrained(folder).eval()


def save_tiny(kind: Kind, path: Path) -> None:
    """Build the model of that kind from a fixed seed and save it with its tokenizer."""
    import torch

    tokenizer = _tokenizer(kind)
    module = _module(kind, tokenizer)
    if kind == "t5-untied":
        module.lm_head.weight = torch.nn.Parameter(torch.empty_like(module.shared.weight))
    chance = torch.Generator().manual_seed(20)
    for name, weight in module.named_parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=_spread(kind, name), generator=chance)
    module.save_pretrained(path)
    tokenizer.save_pretrained(path)
    if kind == "t5-untied":
        # As FLAN-T5's own config says it; transformers 5 would write the opposite beside a head of its own.
        config = json.loads((path / "config.json").read_text())
        del config["scale_decoder_outputs"]
        (path / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))


def _spread(kind: Kind, name: str) -> float:
    """The standard deviation of a weight. BART normalises after each layer, and wide ones forget its input."""
    if "embed_positions" in name:
        return 1.0
    narrow = kind in ("bart", "pegasus") or any(part in name for part in ("shared", "embed", "wte", "wpe"))
    return 0.3 if narrow else 0.6


def _tokenizer(kind: Kind) -> Any:
    """Train a byte-level or a sentencepiece-like tokenizer, with the control tokens of its family."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    family = LIKE.get(kind, kind)
    named = {
        "t5": {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
        "bart": {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"},
        "llama": {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        "gpt2": {"eos_token": "<|endoftext|>"},
        "qwen2": {"pad_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    }[family]
    special = list(dict.fromkeys(named.values())) + (["<|im_start|>", "<|im_end|>"] if family == "qwen2" else [])
    if family == "t5":
        backend = Tokenizer(models.Unigram())
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        backend.decoder = decoders.Metaspace()
        trainer: Any = trainers.UnigramTrainer(
            vocab_size=150, special_tokens=special, unk_token="<unk>", show_progress=False
        )
    else:
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
    backend.train_from_iterator(SENTENCES, trainer)
    layout = {"t5": "$A </s>", "bart": "<s> $A </s>", "llama": "<s> $A"}.get(family)
    if layout:
        ids = [(token, backend.token_to_id(token)) for token in ("<s>", "</s>") if token in layout]
        backend.post_processor = processors.TemplateProcessing(single=layout, special_tokens=ids)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **named)
    if family == "qwen2":
        tokenizer.chat_template = CHATML
    return tokenizer


def _module(kind: Kind, tokenizer: Any) -> Any:
    import transformers

    vocabulary = len(tokenizer)
    if kind in ("t5", "t5-untied", "mt5"):
        name = "MT5" if kind == "mt5" else "T5"
        return getattr(transformers, f"{name}ForConditionalGeneration")(
            getattr(transformers, f"{name}Config")(
                **{"vocab_size": vocabulary, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2},
                **{"num_layers": 2, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
                tie_word_embeddings=kind != "t5-untied",
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
                decoder_start_token_id=tokenizer.pad_token_id,
            )
        )
    if kind in ("bart", "pegasus"):
        name = kind.capitalize()
        return getattr(transformers, f"{name}ForConditionalGeneration")(
            getattr(transformers, f"{name}Config")(
                **{"vocab_size": vocabulary, "d_model": 16, "encoder_layers": 2, "decoder_layers": 2},
                **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 128},
                **{"encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "dropout": 0.1},
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                decoder_start_token_id=tokenizer.eos_token_id,
                forced_eos_token_id=None,
            )
        )
    if kind == "gpt2":
        return transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                **{"vocab_size": vocabulary, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128},
                bos_token_id=tokenizer.eos_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        )
    name = kind.capitalize()
    special: dict[str, dict[str, Any]] = {
        "gemma": {"head_dim": 8},
        "gemma2": {"head_dim": 8, "final_logit_softcapping": 3.0, "attn_logit_softcapping": 5.0},
        "qwen3": {"head_dim": 8},
        "mistral": {"sliding_window": 6},
    }
    return getattr(transformers, f"{name}ForCausalLM")(
        getattr(transformers, f"{name}Config")(
            **{"vocab_size": vocabulary, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2},
            **{"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 256},
            **{"attention_dropout": 0.1, "tie_word_embeddings": kind not in ("qwen2", "phi", "mistral")},
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            **special.get(kind, {}),
        )
    )
