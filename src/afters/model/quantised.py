"""Bases in 4 bits, by the bitsandbytes library, on a GPU (QLoRA: Dettmers et al. 2023, arXiv:2305.14314)."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from afters.errors import ModelError

WHERE = '[model] quantised = "4bit"'


def check_device() -> None:
    """Refuse a machine on which no base can be read in 4 bits."""
    if not torch.cuda.is_available():
        raise ModelError(
            "a base in 4 bits needs a GPU, and there is none",
            where=WHERE,
            hint="Remove the setting: on a processor the base is held in bf16 or fp32.",
        )
    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "a base in 4 bits needs the library bitsandbytes",
            where=WHERE,
            hint="pip install 'afters[gpu]', or remove the setting.",
        )


def in_four_bits() -> dict[str, Any]:
    """Return how transformers is told: 4-bit normal floats, their scales in 8 bits, products in bf16."""
    check_device()
    quantised = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": quantised, "device_map": {"": torch.cuda.current_device()}}
