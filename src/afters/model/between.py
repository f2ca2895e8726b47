"""Between the base and what it became: weights, or an adapter's strength, a part of the way; nothing is taught.

Wortsman et al., "Robust fine-tuning of zero-shot models", 2022 (arXiv:2109.01903), for weights. Of a LoRA adapter the
same is a smaller alpha, since its update is alpha / rank times a product.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from afters.errors import ModelError
from afters.model import files

SCALED = ("LORA",)
"""Adapters, by peft's name for their kind, whose update one factor scales."""


def weights_between(base: Path, tuned: Path, share: float, *, out: Path) -> None:
    """Write base + share * (tuned - base) into `out`, in the precision that `tuned` is stored in.

    Computed in fp32, so that at 0 the base's own weights come out and at 1 the tuned ones, bit for bit, where both are
    stored in the same precision.

    Args:
        base: a folder with a model.
        tuned: one with another of the same shape, and its tokenizer.
        share: from 0 to 1.
        out: a folder that does not exist yet.
    """
    from afters.model.load import load

    modules: list[Any] = [load(folder, for_training=True).network.module for folder in (base, tuned)]
    first, second = modules
    known = dict(first.named_parameters())
    with torch.no_grad():
        for name, weight in second.named_parameters():
            if name not in known or known[name].shape != weight.shape:
                raise ModelError("the base has no such weight", where=base.name, expected=name)
            weight.copy_(torch.lerp(known[name], weight, share))
    stored = files.config(tuned).get("dtype") or files.config(tuned).get("torch_dtype") or "float32"
    second.to(getattr(torch, str(stored))).save_pretrained(out)
    for file in files.TOKENIZER_FILES:
        if (tuned / file).is_file():
            shutil.copyfile(tuned / file, out / file)


def adapter_between(tuned: Path, share: float, *, out: Path) -> None:
    """Write the adapter of `tuned` into `out`, with `share` times its strength.

    Raises:
        ModelError: it is of a kind that no one factor scales.
    """
    config = json.loads((tuned / "adapter_config.json").read_text(encoding="utf-8"))
    if config["peft_type"] not in SCALED or config.get("use_dora"):
        raise ModelError(
            "an adapter of this kind cannot be weakened",
            where="[mend] interpolate",
            expected="LoRA or rsLoRA, whose update is alpha times a product",
            received="DoRA" if config.get("use_dora") else config["peft_type"],
        )
    shutil.copytree(tuned, out)
    config["lora_alpha"] *= share
    (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
