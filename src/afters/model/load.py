"""A name or a path becomes a model with its tokenizer on a device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from transformers import CONFIG_MAPPING, AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)
from transformers.utils import logging as transformers_logging

from afters.errors import ModelError, unknown
from afters.model import files
from afters.model.attention import PACKABLE, lean, packed
from afters.model.causal import Causal, keeps_states
from afters.model.dropout import cheapen
from afters.model.network import Network
from afters.model.prompt import Prompter, default_max_prompt_tokens, positions_of
from afters.model.quantised import in_four_bits
from afters.model.seq2seq import Seq2Seq

Precision = Literal["bf16", "fp32"]

transformers_logging.disable_progress_bar()
transformers_logging.set_verbosity_error()


@dataclass(frozen=True)
class Loaded:
    """A model ready to be taught or asked."""

    network: Network
    prompter: Prompter
    precision: Precision
    device: torch.device
    folder: Path
    identity: Mapping[str, str]
    for_training: bool = False
    """Its weights are going to change: `identity` tells what they were."""


def load(
    folder: Path,
    *,
    precision: Precision | Literal["auto"] = "auto",
    for_training: bool = False,
    adapter: Path | None = None,
    max_prompt_tokens: int | None = None,
    max_new_tokens: int = 64,
    quantised: Literal["4bit"] | None = None,
) -> Loaded:
    """Load the model in `folder`, on the GPU when there is one.

    To be asked, weights are held in `precision`. To be trained, they are held in fp32 and only the arithmetic
    runs in `precision`, so that small updates are not rounded away.

    Args:
        folder: a folder that `files.find` returned.
        precision: "auto" is bf16 where the processor computes in it natively, fp32 elsewhere; never fp16, in which
            T5 overflows.
        for_training: hold the weights in fp32.
        adapter: the folder of a peft adapter to put on the model.
        max_prompt_tokens: a longer prompt loses shots, then text; None: what the model's positions allow, and 1,024
            at most.
        max_new_tokens: room to leave for the answer where prompt and answer share positions.
        quantised: hold the large matrices in 4 bits, on a GPU; they can be asked and adapted, never changed.
    """
    config = files.config(folder)
    if adapter is not None:
        files.check_adapter(adapter, base=folder)
    kind = kind_of(config, folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = resolve_precision(precision, device)
    dtype = torch.bfloat16 if chosen == "bf16" and not for_training else torch.float32
    # PyTorch's fused attention has no fast path on a processor where a bias that depends on distance learns.
    biased = for_training and device.type == "cpu" and "relative_attention_num_buckets" in config
    options = {"attn_implementation": "eager"} if biased else in_four_bits() if quantised else {}
    module = _module(folder, kind, dtype=dtype, **options)
    packs = False
    if device.type == "cpu":
        module, packs = _made_lean(module, str(config["model_type"]))
        if for_training:
            cheapen(module)
    attention = str(module.config._attn_implementation)
    if adapter is not None:
        from afters.model.adapters import put_on

        module = put_on(module, adapter)
    room = default_max_prompt_tokens(config, max_new_tokens=max_new_tokens)
    prompter = _prompter(folder, config, max_prompt_tokens=max_prompt_tokens or room)
    identity = {
        "weights": files.weights_hash(folder),
        "tokenizer": files.tokenizer_hash(folder),
        "adapter": files.weights_hash(adapter) if adapter else "none",
        "precision": f"{chosen} over {quantised}" if quantised else chosen,
        "device": device.type,
        "attention": attention,
        "max_prompt_tokens": str(prompter.max_prompt_tokens),
    }
    module = module.to(device).eval()
    network = Causal(module, packs=packs) if kind is Causal else kind(module)
    return Loaded(network, prompter, chosen, device, folder, identity, for_training)


def skeleton(folder: Path) -> Any:
    """Return the network of the model in `folder` with the names and shapes of its weights, and no weights."""
    kind = kind_of(files.config(folder), folder)
    auto = AutoModelForSeq2SeqLM if kind is Seq2Seq else AutoModelForCausalLM
    try:
        with torch.device("meta"):
            module = auto.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))
    except Exception as error:  # transformers raises a dozen kinds for settings that make no network
        raise ModelError(
            "config.json makes no model", where=folder.name, received=f"{type(error).__name__}: {error}"
        ) from None
    _refuse_states(module, kind, folder)
    # FLAN-T5's configuration says that its head is the embeddings; its files hold a head of its own.
    head = module.get_output_embeddings()
    [name] = [name for name, part in module.named_modules() if part is head]
    if f"{name}.weight" in _stored(folder):
        head.weight = torch.nn.Parameter(torch.empty_like(head.weight))
    return module


def _refuse_states(module: Any, kind: type[Seq2Seq] | type[Causal], folder: Path) -> None:
    """Refuse a model whose rows cannot be padded, taken out of a batch or read in part, as answering does."""
    if kind is Causal and keeps_states(module):
        raise ModelError(
            f"{module.config.model_type} models are not supported yet: their layers keep states, not keys and values",
            where=f"{folder.name}/config.json",
            hint="Take a model of the same size whose layers all attend, as Llama, Qwen3 or Gemma.",
        )


def _stored(folder: Path) -> set[str]:
    """Return the names of the weights that the files hold, read from their headers."""
    names: set[str] = set()
    for path in folder.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            names.update(file.keys())
    return names


def prompter_of(
    folder: Path, *, max_prompt_tokens: int | None = None, max_new_tokens: int = 64, virtual_tokens: int = 0
) -> Prompter:
    """Return the Prompter of the model in `folder`, without loading its weights."""
    config = files.config(folder)
    room = default_max_prompt_tokens(config, max_new_tokens=max_new_tokens, virtual_tokens=virtual_tokens)
    return _prompter(folder, config, max_prompt_tokens=max_prompt_tokens or room, virtual_tokens=virtual_tokens)


def resolve_precision(precision: Precision | Literal["auto"], device: torch.device) -> Precision:
    """Return bf16 where `device` computes in it natively and "auto" is asked, else fp32, else what was asked."""
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16")
    return "bf16" if native else "fp32"


def _module(folder: Path, kind: type[Seq2Seq] | type[Causal], **options: Any) -> Any:
    """Load the weights; one that the files lack would be drawn at random, so it is refused."""
    auto = AutoModelForSeq2SeqLM if kind is Seq2Seq else AutoModelForCausalLM
    try:
        module, told = auto.from_pretrained(
            folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options
        )
    except Exception as error:  # transformers and safetensors raise a dozen kinds for files that do not fit
        raise ModelError(
            "the weights cannot be read", where=folder.name, received=f"{type(error).__name__}: {error}"
        ) from None
    if told["missing_keys"]:
        missing = sorted(told["missing_keys"])
        raise ModelError(
            f"{len(missing)} weights are missing, as {missing[0]}",
            where=folder.name,
            expected="every weight of the architecture that config.json names",
            hint="Name a language model's own folder, not an encoder's or an unfinished download.",
        )
    _refuse_states(module, kind, folder)
    return module


def _made_lean(module: Any, family: str) -> tuple[Any, bool]:
    """Return the module as it is fast on a processor, and whether it reads rows in one line."""
    packs = family in PACKABLE
    return packed(module) if packs else lean(module) if family == "t5" else module, packs


def _prompter(folder: Path, config: dict[str, Any], *, max_prompt_tokens: int, virtual_tokens: int = 0) -> Prompter:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as above: a broken file raises whatever its reader trips over
        raise ModelError(
            "the tokenizer cannot be read", where=folder.name, received=f"{type(error).__name__}: {error}"
        ) from None
    _runs_in_rust(tokenizer, folder)
    _begins_an_answer(config, folder)
    positions = positions_of(config)
    return Prompter(
        tokenizer,
        encoder_decoder=kind_of(config, folder) is Seq2Seq,
        max_prompt_tokens=max_prompt_tokens,
        positions=None if positions is None else positions - virtual_tokens,
    )


def _runs_in_rust(tokenizer: Any, folder: Path) -> None:
    """Refuse a tokenizer that is Python alone: it reads no rows together, and does not tell where a token stands."""
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError(
            "the tokenizer is not supported: it is written in Python alone",
            where=folder.name,
            expected="a tokenizer that the library tokenizers runs, as those with a tokenizer.json",
            received=type(tokenizer).__name__,
            hint="Take another [model] base: those of ByT5, M2M100 and Marian are of this kind.",
        )


def _begins_an_answer(config: dict[str, Any], folder: Path) -> None:
    """Refuse an encoder-decoder that does not say what its decoder reads first."""
    name = "decoder_start_token_id"
    if kind_of(config, folder) is Seq2Seq and config.get(name) is None:
        if getattr(CONFIG_MAPPING[config["model_type"]](), name, None) is None:
            raise ModelError(
                "the model names no token that begins an answer",
                where=f"{folder.name}/config.json",
                expected=name,
                hint="Add it as the model was taught with it; for a T5 it is the padding token, 0.",
            )


def kind_of(config: dict[str, Any], path: Path) -> type[Seq2Seq] | type[Causal]:
    """Return whether a configuration, which lies at `path`, is of an encoder-decoder or a decoder alone.

    Raises:
        ModelError: it is of neither, or of nothing that transformers carries.
    """
    name = str(config.get("model_type"))
    if name in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        return Seq2Seq
    if name in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return Causal
    known = [*MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES, *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES]
    raise ModelError(
        unknown("model_type", name, known), where=f"{path.name}/config.json" if path.is_dir() else path.name
    )
