"""LoRA, by the peft library: wrap, count, save, put on again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from peft import LoraConfig, PeftModel, TaskType, get_peft_model

from afters.errors import ModelError


class Trained(NamedTuple):
    """How many of a model's weights learn."""

    trained: int
    all: int

    @property
    def share(self) -> float:
        """The trained share, between 0 and 1."""
        return self.trained / self.all


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
        return get_peft_model(module, config)
    except ValueError as error:
        raise ModelError(
            "LoRA finds no layer of those names",
            received=", ".join(targets),
            hint=f"peft says: {str(error).splitlines()[0]}",
        ) from None


def count(module: Any) -> Trained:
    """Count the weights that learn, and all of them."""
    sizes = [(weight.numel(), weight.requires_grad) for weight in module.parameters()]
    return Trained(sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes))


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
