from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import Kind, Tiny
from torch import Tensor
from transformers import AutoTokenizer, GenerationConfig, PegasusConfig, PegasusForConditionalGeneration

from afters.errors import ModelError
from afters.model import files
from afters.model.adapters import merge, save, wrap, wrap_ia3
from afters.model.decoding import greedy
from afters.model.frozen import count
from afters.model.load import Loaded, load
from afters.model.network import Pair
from afters.train.lessons import Pairs
from afters.train.loop import train
from afters.train.loss import backward
from afters.train.settings import TrainSettings

PAIRS = [Pair((5, 6, 7, 8), (9, 10, 1)), Pair((11, 12), (13, 1)), Pair((14, 15, 16), (17, 18, 1))] * 2
PROMPTS = [(5, 6, 7, 8), (11, 12), (20, 21, 22)]


def adapted(folder: Path, *, targets: tuple[str, ...] = ("all-linear",), alpha: float = 8.0) -> tuple[Loaded, Any]:
    loaded = load(folder, precision="fp32", for_training=True)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return loaded, wrap(loaded.network.module, rank=2, alpha=alpha, dropout=0.0, targets=targets)


def taught(loaded: Loaded, folder: Path) -> None:
    settings = TrainSettings(method="lora", epochs=4, batch_rows=3, learning_rate=0.05, validations=1)
    train(loaded.network, Pairs(PAIRS), settings, seed=1, folder=folder, precision="fp32")


def test_only_the_adapters_learn_and_they_are_counted(tiny: Tiny) -> None:
    loaded, wrapped = adapted(tiny("llama"), targets=("q_proj", "v_proj"))
    learning = [name for name, weight in wrapped.named_parameters() if weight.requires_grad]
    assert learning
    assert all("lora_" in name for name in learning)
    # Two layers; q is 16 to 16, v is 16 to 8; each gets a matrix in of rank 2 and a matrix out.
    expected = 2 * (2 * (16 + 16) + 2 * (16 + 8))
    told = count(wrapped)
    assert told.trained == expected
    assert told.all == expected + sum(weight.numel() for weight in load(tiny("llama")).network.module.parameters())
    assert told.share == pytest.approx(told.trained / told.all)


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "qwen2"])
def test_training_moves_only_the_adapters_and_the_base_on_disk_stays(tiny: Tiny, kind: Kind, tmp_path: Path) -> None:
    base = files.weights_hash(tiny(kind))
    loaded, wrapped = adapted(tiny(kind))
    before = {name: weight.detach().clone() for name, weight in wrapped.named_parameters()}
    taught(loaded, tmp_path)
    moved = {name for name, weight in wrapped.named_parameters() if not torch.equal(weight, before[name])}
    assert moved == {name for name in before if "lora_" in name}
    assert files.weights_hash(tiny(kind)) == base


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "qwen2"])
def test_a_saved_adapter_put_on_its_base_answers_as_the_trained_network(tiny: Tiny, kind: Kind, tmp_path: Path) -> None:
    loaded, wrapped = adapted(tiny(kind))
    plain = load(tiny(kind), precision="fp32")
    taught(loaded, tmp_path / "train")
    wrapped.save_pretrained(tmp_path / "adapter")
    again = load(tiny(kind), precision="fp32", adapter=tmp_path / "adapter")
    with torch.no_grad():
        losses = [one.network.token_losses(PAIRS) for one in (loaded, again, plain)]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=1e-4)
    assert (losses[0] - losses[2]).abs().max() > 0.1, "the adapter changes what the model says"
    answers = [greedy(one.network, PROMPTS, max_new_tokens=6, ends=[1]) for one in (loaded, again, plain)]
    assert answers[0] == answers[1] != answers[2]
    assert again.identity["adapter"] not in ("none", plain.identity["adapter"])
    assert {**again.identity, "adapter": ""} == {**plain.identity, "adapter": ""}


def test_the_scale_of_an_adapter_is_part_of_the_identity(tiny: Tiny, tmp_path: Path) -> None:
    _, wrapped = adapted(tiny("llama"))
    wrapped.save_pretrained(tmp_path)
    first = load(tiny("llama"), adapter=tmp_path).identity["adapter"]
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**told, "lora_alpha": 99}))
    assert load(tiny("llama"), adapter=tmp_path).identity["adapter"] != first


def test_layers_that_are_not_there_are_told(tiny: Tiny) -> None:
    for targets in (("q_prj",), ("v_proj", "q_prj")):
        with pytest.raises(ModelError, match=r"unknown layer 'q_prj'; did you mean 'q_proj'\?"):
            adapted(tiny("llama"), targets=targets)
    with pytest.raises(ModelError, match="unknown layer 'input_layernorm'"):
        adapted(tiny("llama"), targets=("input_layernorm",))


def test_an_adapter_of_another_base_is_told(tiny: Tiny, tmp_path: Path) -> None:
    _, wrapped = adapted(tiny("llama"))
    wrapped.save_pretrained(tmp_path)
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    (tmp_path / "adapter_config.json").write_text(json.dumps({**told, "r": 3}))
    with pytest.raises(ModelError, match="the adapter does not fit its base"):
        load(tiny("llama"), adapter=tmp_path)


def test_a_pickled_or_missing_adapter_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    _, wrapped = adapted(tiny("llama"))
    wrapped.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    assert weights
    (tmp_path / "adapter_model.safetensors").rename(tmp_path / "adapter_model.bin")
    with pytest.raises(ModelError, match=r"no adapter_model\.safetensors"):
        load(tiny("llama"), adapter=tmp_path)


# LoRA's kin; the oracle is peft's own model, called directly

METHODS = ("lora", "rslora", "dora", "ia3")
FAMILIES: tuple[Kind, ...] = ("t5", "t5-untied", "bart", "llama", "gpt2")
ROWS = [Pair(tuple(range(5, 8 + row)), (*range(30 + row, 32 + 3 * row), 1)) for row in range(4)]


def disturbed(folder: Path, method: str, *, targets: tuple[str, ...] = ("all-linear",)) -> tuple[Loaded, Any]:
    """An adapter that is no longer where it began, which is where it changes nothing."""
    loaded = load(folder, precision="fp32", for_training=True)
    module = loaded.network.module
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        if method == "ia3":
            wrapped = wrap_ia3(module)
        else:
            wrapped = wrap(module, rank=2, alpha=4.0, dropout=0.0, targets=targets, method=method)  # type: ignore[arg-type]
        for weight in wrapped.parameters():
            if weight.requires_grad:
                weight.add_(0.2 * torch.randn_like(weight))
    return loaded, wrapped.eval()


def losses_of(loaded: Loaded) -> Tensor:
    with torch.no_grad():
        return loaded.network.token_losses(ROWS)


def answers_of(loaded: Loaded) -> list[list[int]]:
    return greedy(loaded.network, PROMPTS, max_new_tokens=6, ends=[1])


def wrapped_loss(wrapped: Any, pair: Pair) -> Tensor:
    """The loss of one row as peft's model tells it."""
    answer = torch.tensor([pair.answer])
    if wrapped.config.is_encoder_decoder:
        return wrapped(input_ids=torch.tensor([pair.prompt]), labels=answer).loss  # type: ignore[no-any-return]
    whole = torch.tensor([[*pair.prompt, *pair.answer]])
    labels = whole.clone()
    labels[:, : len(pair.prompt)] = -100
    return wrapped(input_ids=whole, labels=labels).loss  # type: ignore[no-any-return]


def written(wrapped: Any, prompt: Sequence[int]) -> list[int]:
    """What peft's model writes, token by token, up to the end."""
    ids = torch.tensor([prompt])
    [row] = wrapped.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        generation_config=GenerationConfig(
            **{"max_new_tokens": 6, "do_sample": False, "eos_token_id": 1, "pad_token_id": 0},
            decoder_start_token_id=getattr(wrapped.config, "decoder_start_token_id", None),
        ),
    ).tolist()
    written: list[int] = row[1:] if wrapped.config.is_encoder_decoder else row[len(prompt) :]
    return written


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("method", METHODS)
def test_losses_and_answers_are_those_of_peft_s_own_model(tiny: Tiny, kind: Kind, method: str) -> None:
    loaded, wrapped = disturbed(tiny(kind), method)
    assert (losses_of(loaded) - losses_of(load(tiny(kind), precision="fp32"))).abs().max() > 0.1
    with torch.no_grad():
        expected = [wrapped_loss(wrapped, pair).item() for pair in ROWS]
        found = [loaded.network.token_losses([pair]).mean().item() for pair in ROWS]
    assert found == pytest.approx(expected, rel=1e-5)
    assert answers_of(loaded) == [written(wrapped, prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize("method", METHODS)
def test_the_loss_and_its_gradient_are_one_however_the_step_is_cut(tiny: Tiny, kind: Kind, method: str) -> None:
    loaded, wrapped = disturbed(tiny(kind), method)
    found = []
    for budget in (1, 30, 10_000):
        loss = backward(loaded.network, ROWS, tokens=budget, precision="fp32")
        grads = [weight.grad.flatten() for weight in wrapped.parameters() if weight.grad is not None]
        found.append((loss, torch.cat(grads)))
        wrapped.zero_grad()
    for loss, gradient in found[:-1]:
        assert loss == pytest.approx(found[-1][0], rel=1e-5)
        assert (gradient - found[-1][1]).norm() < 1e-4 * found[-1][1].norm()


@pytest.mark.parametrize("kind", ["t5", "t5-untied", "llama", "qwen2"])
def test_an_adapted_head_says_and_learns_what_peft_s_does(tiny: Tiny, kind: Kind) -> None:
    loaded, wrapped = disturbed(tiny(kind), "lora", targets=("lm_head",))
    expected = torch.stack([wrapped_loss(wrapped, pair) * len(pair.answer) for pair in ROWS]).sum()
    expected = expected / sum(len(pair.answer) for pair in ROWS)
    learning = [weight for weight in wrapped.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(expected, learning)
    assert backward(loaded.network, ROWS, tokens=30, precision="fp32") == pytest.approx(expected.item(), rel=1e-5)
    for weight, gradient in zip(learning, gradients, strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [*FAMILIES, "qwen2"])
@pytest.mark.parametrize("method", [*METHODS, "head"])
def test_merged_and_unmerged_give_the_same_answers(tiny: Tiny, kind: Kind, method: str, tmp_path: Path) -> None:
    head = {"targets": ("lm_head",)} if method == "head" else {}
    loaded, wrapped = disturbed(tiny(kind), "lora" if head else method, **head)
    losses, answers = losses_of(loaded), answers_of(loaded)
    merge(wrapped).save_pretrained(tmp_path)
    # What T5's own configurations do not have, and transformers 4 does not read.
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("scale_decoder_outputs", None)
    (tmp_path / "config.json").write_text(json.dumps(config))
    AutoTokenizer.from_pretrained(tiny(kind)).save_pretrained(tmp_path)
    whole = load(tmp_path, precision="fp32")
    assert not any("lora" in name or "ia3" in name for name, _ in whole.network.module.named_parameters())
    torch.testing.assert_close(losses_of(whole), losses, rtol=1e-4, atol=1e-4)
    assert answers_of(whole) == answers


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_adapter_of_any_method_is_put_on_again(tiny: Tiny, method: str, tmp_path: Path) -> None:
    loaded, wrapped = disturbed(tiny("gpt2"), method)
    save(wrapped, tmp_path, base="gpt2", weights=files.weights_hash(tiny("gpt2")))
    again = load(tiny("gpt2"), precision="fp32", adapter=tmp_path)
    torch.testing.assert_close(losses_of(again), losses_of(loaded), rtol=1e-5, atol=1e-5)
    assert answers_of(again) == answers_of(loaded)


def test_rslora_divides_by_the_root_of_the_rank(tiny: Tiny) -> None:
    """At rank 4 an alpha of 3 is 3 / 2 there, and 6 / 4 in plain LoRA."""
    losses = []
    for method, alpha in (("rslora", 3.0), ("lora", 6.0), ("lora", 3.0)):
        loaded = load(tiny("llama"), precision="fp32")
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(1)
            wrap(loaded.network.module, rank=4, alpha=alpha, dropout=0, targets=["q_proj"], method=method)  # type: ignore[arg-type]
            for name, weight in loaded.network.module.named_parameters():
                weight.add_(0.2 if "lora_B" in name else 0.0)
        losses.append(losses_of(loaded))
    torch.testing.assert_close(losses[0], losses[1])
    assert not torch.allclose(losses[0], losses[2])


def test_equal_adapters_are_saved_as_equal_files(tiny: Tiny, tmp_path: Path) -> None:
    """A set of names has another order in every process, and the file is part of a model's identity."""
    _, wrapped = disturbed(tiny("llama"), "lora", targets=("v_proj", "q_proj", "down_proj", "up_proj"))
    save(wrapped, tmp_path, base="llama", weights="0")
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    assert told["target_modules"] == ["down_proj", "q_proj", "up_proj", "v_proj"]
    module = load(tiny("llama")).network.module
    own = wrap_ia3(module, targets=("down_proj", "up_proj", "q_proj"), feedforward=("up_proj", "down_proj"))
    save(own, tmp_path / "ia3", base="llama", weights="0")
    told = json.loads((tmp_path / "ia3" / "adapter_config.json").read_text())
    assert told["feedforward_modules"] == ["down_proj", "up_proj"]


def test_an_adapter_of_another_base_is_refused_and_both_are_named(tiny: Tiny, tmp_path: Path) -> None:
    """Of the same shapes: only what is in the weights differs."""
    _, wrapped = disturbed(tiny("llama"), "lora")
    mine = files.weights_hash(tiny("llama"))
    save(wrapped, tmp_path / "adapter", base="owner/my-llama", weights=mine)
    shutil.copytree(tiny("llama"), tmp_path / "other")
    weights = load_file(tmp_path / "other" / "model.safetensors")
    save_file(
        {name: 1.01 * one for name, one in weights.items()}, tmp_path / "other" / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelError, match="made for another base") as caught:
        load(tmp_path / "other", adapter=tmp_path / "adapter")
    assert caught.value.expected == f"'owner/my-llama' (weights {mine})"
    assert caught.value.received == f"'other' (weights {files.weights_hash(tmp_path / 'other')})"


def test_an_adapter_with_more_or_fewer_layers_than_its_base_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    _, wrapped = disturbed(tiny("llama"), "lora", targets=("q_proj",))
    wrapped.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    more = {name.replace("layers.1", "layers.2"): one.clone() for name, one in weights.items()} | weights
    fewer = {name: one for name, one in weights.items() if "layers.1" not in name}
    for changed in (more, fewer):
        save_file(changed, tmp_path / "adapter_model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match="the adapter does not fit its base"):
            load(tiny("llama"), adapter=tmp_path)


def test_ia3_without_targets_on_an_architecture_that_peft_does_not_know_is_told() -> None:
    width = {"d_model": 8, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 8, "decoder_ffn_dim": 8}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    module = PegasusForConditionalGeneration(PegasusConfig(vocab_size=9, **width, **heads))
    with pytest.raises(ModelError, match="IA3 finds no layer to adapt in a pegasus"):
        wrap_ia3(module)
    assert wrap_ia3(module, targets=("k_proj", "fc2"), feedforward=("fc2",))
