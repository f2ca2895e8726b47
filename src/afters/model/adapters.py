"""LoRA and its kin, by the peft library: wrap, save, put on again, merge."""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    PeftModel,
    PeftType,
    TaskType,
    get_peft_model,
    get_peft_model_state_dict,
)
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from torch import Tensor, nn

from afters.errors import ModelError, raise_together, unknown
from afters.model import files
from afters.model.virtual import check_padding, prefix_config, prompt_config, stand_in_front

ALL_LINEAR = ("all-linear",)


def wrap(
    module: Any,
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: Sequence[str],
    method: Literal["lora", "rslora", "dora"] = "lora",
) -> Any:
    """Return `module` as a peft model in which only low-rank matrices learn (Hu et al. 2021, arXiv:2106.09685).

    Args:
        module: a transformers model; its linear layers are replaced in place.
        rank: inner width of the two matrices.
        alpha: the update is scaled by alpha / rank.
        dropout: share of an adapter's inputs that is dropped while training.
        targets: names of the layers to adapt, or just "all-linear".
        method: rslora scales by alpha / sqrt(rank), so that a high rank still learns (Kalajdzievski 2023,
            arXiv:2312.03732); dora learns each output's length apart (Liu et al. 2024, arXiv:2402.09353).
    """
    config = LoraConfig(
        task_type=_task(module),
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules="all-linear" if tuple(targets) == ALL_LINEAR else list(targets),
        use_rslora=method == "rslora",
        use_dora=method == "dora",
    )
    return _wrapped(module, config, targets=targets)


def wrap_ia3(module: Any, *, targets: Sequence[str] = (), feedforward: Sequence[str] = ()) -> Any:
    """Return `module` as a peft model in which only factors of activations learn (Liu et al. 2022, arXiv:2205.05638).

    Args:
        module: a transformers model; its linear layers are replaced in place.
        targets: names of the layers whose outputs get factors; none: what peft knows of the architecture.
        feedforward: those of them whose inputs get the factors instead.
    """
    own = {"target_modules": list(targets), "feedforward_modules": list(feedforward)} if targets else {}
    return _wrapped(module, IA3Config(task_type=_task(module), **own), targets=targets)


def wrap_virtual(module: Any, *, method: Literal["prompt", "prefix"], tokens: int, hidden: int | None = None) -> Any:
    """Return `module` as a peft model in which only virtual tokens learn, which now stand in front of every prompt.

    Args:
        module: a transformers model; its stacks get hooks.
        method: a prompt is embeddings, which the first layer reads; a prefix is keys and values for every layer.
        tokens: how many there are.
        hidden: of a prefix: inner width of the network that makes it while it learns; None: it learns itself.
    """
    check_padding(module, where=f'[train] method = "{method}"')
    task = _task(module)
    if method == "prompt":
        config = prompt_config(task, tokens=tokens)
    else:
        config = prefix_config(task, module.config, tokens=tokens, hidden=hidden)
    adapted = _wrapped(module, config, targets=())
    stand_in_front(adapted)
    return adapted


def _task(module: Any) -> TaskType:
    """Return what peft calls this kind of model."""
    return TaskType.SEQ_2_SEQ_LM if module.config.is_encoder_decoder else TaskType.CAUSAL_LM


def save(adapted: Any, folder: Path, *, base: str, weights: str) -> None:
    """Save an adapter as peft does, and beside it `base.json`, which says what it was made for.

    Args:
        adapted: what `wrap` or its kin returned.
        folder: where to.
        base: the name of the model below.
        weights: that model's hash, as `files.weights_hash` tells it.
    """
    config = adapted.peft_config["default"]
    config.base_model_name_or_path = base
    for name, value in vars(config).items():
        if isinstance(value, set):
            # It would come out in another order in every process, and equal runs must give equal files.
            setattr(config, name, sorted(value))
    adapted.save_pretrained(folder, save_embedding_layers=False)
    (folder / files.MADE_FOR).write_text(json.dumps({"name": base, "weights": weights}) + "\n")


def put_on(module: Any, adapter: Path) -> Any:
    """Put a saved adapter on its base and return the base, adapted in place."""
    try:
        with _quiet():
            adapted = PeftModel.from_pretrained(module, str(adapter), local_files_only=True)
    except Exception as error:  # peft and safetensors raise a dozen kinds for files that do not fit
        raise ModelError(
            "the adapter does not fit its base", where=adapter.name, received=f"{type(error).__name__}: {error}"
        ) from None
    _check_places(adapted, adapter)
    config = adapted.active_peft_config
    if config.is_prompt_learning and config.peft_type not in (PeftType.PROMPT_TUNING, PeftType.PREFIX_TUNING):
        raise ModelError(
            "these virtual tokens cannot be put in place",
            where=adapter.name,
            expected="prompt tuning or prefix tuning",
            received=config.peft_type.value,
        )
    if config.is_prompt_learning:
        check_padding(module, where=adapter.name)
        stand_in_front(adapted)
    return adapted.get_base_model()


def merge(adapted: Any) -> Any:
    """Return the base with the adapter worked into its weights; it answers as the two did, but for rounding."""
    base = adapted.get_base_model()
    _part(base)
    tied = _weight(base.get_output_embeddings()) is _weight(base.get_input_embeddings())
    base.config.tie_word_embeddings = tied
    merged = adapted.merge_and_unload()
    if not tied and getattr(merged.config, "scale_decoder_outputs", False):
        _scale_head(merged)
    return merged


def _wrapped(module: Any, config: PeftConfig, *, targets: Sequence[str]) -> Any:
    _check_targets(module, () if tuple(targets) == ALL_LINEAR else targets)
    try:
        with _quiet():
            return get_peft_model(module, config)
    except ValueError as error:
        raise ModelError(
            f"{config.peft_type.value} finds no layer to adapt in a {module.config.model_type}",
            received=", ".join(targets) or None,
            expected="targets that are linear layers",
            hint=f"peft says: {str(error).splitlines()[0]}",
        ) from None


def _check_targets(module: nn.Module, targets: Sequence[str]) -> None:
    """Refuse a name that no layer has: peft would adapt the others and say nothing."""
    names = [name for name, part in module.named_modules() if getattr(getattr(part, "weight", None), "ndim", 0) == 2]
    missing = [one for one in targets if not any(f".{name}".endswith(f".{one}") for name in names)]
    known = {name.rpartition(".")[2] for name in names}
    raise_together([ModelError(unknown("layer", one, known), where="targets of the adapter") for one in missing])


def _check_places(adapted: Any, adapter: Path) -> None:
    """Refuse an adapter with weights that the base has no place for, or with too few: peft passes over both."""
    with safe_open(adapter / files.ADAPTER, "pt") as file:
        saved = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    tensors = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    places = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if saved != places:
        differing = sorted({*saved.items()} ^ {*places.items()})
        raise ModelError(
            "the adapter does not fit its base",
            where=adapter.name,
            received=f"{len(differing)} weights that only one of them has, as {differing[0][0]} {differing[0][1]}",
        )


def _part(base: nn.Module) -> None:
    """Where an adapted layer's weight is another's too, as a head's that is the embeddings, give each its own."""
    owners = Counter(id(weight) for _, weight in base.named_parameters(remove_duplicate=False))
    if not any(owners[id(_weight(part))] > 1 for part in base.modules() if isinstance(part, BaseTunerLayer)):
        return
    for name, weight in [*base.named_parameters(remove_duplicate=False)]:
        if owners[id(weight)] > 1:
            place, _, last = name.rpartition(".")
            setattr(base.get_submodule(place), last, nn.Parameter(weight.detach().clone(), requires_grad=False))


def _weight(part: Any) -> Tensor:
    weight: Tensor = (part.get_base_layer() if isinstance(part, BaseTunerLayer) else part).weight
    return weight


@torch.no_grad()
def _scale_head(merged: Any) -> None:
    """Work into a T5's head what it scales its input by: that is done only where the head is the embeddings."""
    head, config = merged.get_output_embeddings(), merged.config
    head.weight = nn.Parameter(head.weight * config.d_model**-0.5)
    config.scale_decoder_outputs = False


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what peft says of cases that are settled here."""
    with warnings.catch_warnings():
        # GPT-2's layers are stored the other way round; peft sees it and sets it right.
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
        # A head that is also the embeddings: `merge` parts them.
        warnings.filterwarnings("ignore", message="Model (has|with) `tie_word_embeddings=True`")
        yield
