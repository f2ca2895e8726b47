"""A configuration without weights becomes a model with random ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, GenerationConfig

from afters.errors import InputError, ModelError, raise_together, unknown
from afters.model import files
from afters.model.load import kind_of
from afters.model.seq2seq import Seq2Seq

OLDER = frozenset(
    {
        *("torch_dtype", "transformers_version", "architectures", "_name_or_path", "model_type"),
        *("n_positions", "n_ctx", "output_past", "prefix", "task_specific_params", "gradient_checkpointing"),
        *("is_gated_act", "dense_act_fn"),
    }
)
"""Keys that published configurations hold and transformers no longer asks for."""


class Blueprint(NamedTuple):
    """A configuration that has been checked."""

    path: Path
    said: dict[str, Any]
    """What the file says, without what transformers adds to it."""
    config: Any
    brings_tokenizer: bool
    """Whether a tokenizer lies beside it."""

    @property
    def encoder_decoder(self) -> bool:
        """Whether the model reads with an encoder."""
        return bool(self.config.is_encoder_decoder)


def blueprint(path: Path) -> Blueprint:
    """Read a configuration and see that a model can be built of it.

    Raises:
        InputError: an unknown architecture or key, or sizes that contradict each other; all are told together.
    """
    said = files.read_config(path)
    kind_of(said, path)
    made = CONFIG_MAPPING[said["model_type"]]
    problems: list[InputError] = [*_unknown_keys(said, made, where=path.name), *_no_sizes(said, made, where=path.name)]
    raise_together(problems)
    try:
        config = made.from_dict(said)
        problems += _contradictions(config, where=path.name)
        raise_together(problems)
        with torch.device("meta"):
            _network(config)
    except InputError:
        raise
    except Exception as error:  # transformers raises a dozen kinds for what does not fit
        raise ModelError(
            "no model can be built of this configuration", where=path.name, received=" ".join(str(error).split())
        ) from None
    beside = path.parent if path.name == "config.json" else None
    brings = beside is not None and any((beside / name).is_file() for name in files.TOKENIZER_FILES)
    return Blueprint(path, said, config, brings)


def write(plan: Blueprint, folder: Path, *, tokenizer: Any = None) -> None:
    """Write configuration and tokenizer into `folder`: the tokenizer given, or the one beside the configuration.

    Raises:
        ModelError: the tokenizer has more pieces than the model, or other control tokens than the configuration says.
    """
    made = tokenizer or AutoTokenizer.from_pretrained(plan.path.parent, local_files_only=True, trust_remote_code=False)
    if "vocab_size" not in plan.said:
        plan.config.vocab_size = len(made)
    elif len(made) > plan.config.vocab_size:
        raise ModelError(
            "the tokenizer has more pieces than the model",
            where=f"{plan.path.name}: vocab_size",
            expected=f"at least {len(made)}",
            received=str(plan.config.vocab_size),
        )
    ids = {name: getattr(made, name) for name in ("pad_token_id", "eos_token_id", "bos_token_id")}
    if plan.encoder_decoder:
        ids["decoder_start_token_id"] = made.pad_token_id
    for name, number in ids.items():
        _agree(plan, name, number)
    plan.config.dtype = "float32"
    plan.config.save_pretrained(folder)
    made.save_pretrained(folder)


def draw(folder: Path, *, seed: int) -> int:
    """Draw the weights of the configuration in `folder`, save them beside it, and return how many there are."""
    config = CONFIG_MAPPING[files.config(folder)["model_type"]].from_pretrained(folder, local_files_only=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = _network(config)
    module.save_pretrained(folder)
    return sum(weight.numel() for weight in module.parameters())


def _network(config: Any) -> Any:
    auto = AutoModelForSeq2SeqLM if kind_of(config.to_dict(), Path("config.json")) is Seq2Seq else AutoModelForCausalLM
    return auto.from_config(config, dtype=torch.float32)


def _agree(plan: Blueprint, name: str, number: int | None) -> None:
    """Take a control token from the tokenizer, unless the configuration says another."""
    said = plan.said.get(name)
    if said is None:
        setattr(plan.config, name, number)
    elif number is not None and said != number and name != "decoder_start_token_id":
        raise ModelError(
            f"the tokenizer and the configuration name another {name}",
            where=f"{plan.path.name}: {name}",
            expected=f"{number}, as the tokenizer has it",
            received=str(said),
            hint="Leave it out of the configuration: it is taken from the tokenizer.",
        )


def _unknown_keys(said: dict[str, Any], made: Any, *, where: str) -> Iterator[InputError]:
    known = {*made().to_dict(), *made.attribute_map, *GenerationConfig().to_dict(), *OLDER}
    for key in said:
        if key not in known:
            yield ModelError(unknown("key", key, {*made().to_dict()} - OLDER), where=where)


def _no_sizes(said: dict[str, Any], made: Any, *, where: str) -> Iterator[InputError]:
    """Yield the sizes that are none: zero or less, where the architecture itself has more."""
    usual = made().to_dict()
    for key, value in said.items():
        is_size = isinstance(usual.get(key), int) and usual[key] > 0 and not key.endswith("_id")
        if is_size and type(value) is int and value <= 0:
            yield ModelError(f"{key} = {value}", where=where, expected="at least 1")


def _contradictions(config: Any, *, where: str) -> Iterator[InputError]:
    width, heads = getattr(config, "hidden_size", None), getattr(config, "num_attention_heads", None)
    shared = getattr(config, "num_key_value_heads", None)
    if width and heads and width % heads and not getattr(config, "head_dim", None):
        yield ModelError("the width is no multiple of the heads", where=where, received=f"{width} and {heads}")
    if heads and shared and heads % shared:
        what = "the attention heads are no multiple of those that share keys and values"
        yield ModelError(what, where=where, received=f"{heads} and {shared}")
