from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import Kind, Tiny
from tiny_training import PAIRS
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

from afters.errors import SettingsError
from afters.model.adapters import wrap
from afters.model.decoding import greedy
from afters.model.load import Loaded, load
from afters.model.recompute import recompute
from afters.train.loss import backward

FAMILIES: tuple[Kind, ...] = ("t5", "bart", "llama", "gpt2")


def gradients(loaded: Loaded, *, bf16: bool = False) -> dict[str, Tensor]:
    """Of eight rows, with dropout on, always the same."""
    module = loaded.network.module.train()
    with torch.random.fork_rng():
        torch.manual_seed(8)
        backward(loaded.network, PAIRS[:8], tokens=60, precision="bf16" if bf16 else "fp32")
    return {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}


def learner(tiny: Tiny, kind: Kind, *, lora: bool, again: bool) -> Loaded:
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    if again:
        recompute(loaded.network.module)
    if lora:
        with torch.random.fork_rng():
            torch.manual_seed(1)
            wrap(loaded.network.module, rank=2, alpha=8.0, dropout=0.1, targets=["all-linear"])
    return loaded


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
def test_the_gradients_are_the_same_with_dropout_on(tiny: Tiny, kind: Kind, lora: bool, bf16: bool) -> None:
    kept = gradients(learner(tiny, kind, lora=lora, again=False), bf16=bf16)
    again = gradients(learner(tiny, kind, lora=lora, again=True), bf16=bf16)
    assert kept.keys() == again.keys() and len(kept) > 4
    assert any(gradient.abs().max() > 0 for gradient in kept.values())
    for name, gradient in kept.items():
        assert torch.equal(gradient, again[name]), name


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_layer_is_computed_twice_to_learn_and_once_to_be_asked(tiny: Tiny, kind: Kind) -> None:
    loaded = learner(tiny, kind, lora=False, again=True)
    module: Any = loaded.network.module
    calls = 0
    loaded.network.token_losses(PAIRS[:1])  # tries its head

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    layers = [part for part in module.modules() if isinstance(part, GradientCheckpointingLayer)]
    assert len(layers) == (4 if module.config.is_encoder_decoder else 2)
    for layer in layers:
        norm = next(part for part in layer.modules() if "norm" in type(part).__name__.lower())
        norm.register_forward_hook(count)
    module.train()
    loss = loaded.network.token_losses(PAIRS[:2]).sum()
    assert calls == len(layers)
    loss.backward()  # type: ignore[no-untyped-call]
    assert calls == 2 * len(layers)
    module.eval()
    answers = greedy(loaded.network, [PAIRS[0].prompt], max_new_tokens=4, ends=[1])
    plain = load(tiny(kind), precision="fp32", for_training=True).network
    assert answers == greedy(plain, [PAIRS[0].prompt], max_new_tokens=4, ends=[1])


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(SettingsError, match="no layer of Linear can be computed again"):
        recompute(nn.Linear(2, 2))
