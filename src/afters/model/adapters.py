"""LoRA, by the peft library: wrap, save, put on again."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftModel, TaskType, get_peft_model

from afters.errors import ModelError


def wrap(module: Any, *, rank: int, alpha: float, dropout: float, targets: Sequence[str]) -> Any:
    """Return `module` as a peft model in which only LoRA's matrices learn (Hu et al. 2021, arXiv:2106.09685).

    Args:
        module: a transformers model; its linear layers are replaced in place.
        rank: inner width of the two matrices.
        alpha: the update is scaled by alpha / rank.
        dropout: share of an adapter's inputs that is dropped while training.
        targets: names of the layers to adapt, or just "all-linear".
    """
    task = TaskType.SEQ_2_SEQ_LM if module.config.is_encoder_decoder else TaskType.CAUSAL_LM
    chosen = "all-linear" if list(targets) == ["all-linear"] else list(targets)
    config = LoraConfig(task_type=task, r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=chosen)
    try:
        with warnings.catch_warnings():
            # GPT-2's layers are stored the other way round; peft sees it, sets it right, and says so.
            warnings.filterwarnings("ignore", message="fan_in_fan_out is set to")
            return get_peft_model(module, config)
    except ValueError as error:
        raise ModelError(
            "LoRA finds no layer of those names",
            received=", ".join(targets),
            hint=f"peft says: {str(error).splitlines()[0]}",
        ) from None


def put_on(module: Any, adapter: Path) -> Any:
    """Put a saved adapter on its base and return the base, adapted in place."""
    if not (adapter / "adapter_model.safetensors").is_file():
        raise ModelError("no adapter_model.safetensors", where=adapter.name, expected="a folder that peft has saved")
    try:
        adapted = PeftModel.from_pretrained(module, str(adapter), local_files_only=True)
    except Exception as error:  # peft and safetensors raise a dozen kinds for files that do not fit
        raise ModelError(
            "the adapter does not fit its base", where=adapter.name, received=f"{type(error).__name__}: {error}"
        ) from None
    return adapted.get_base_model()
