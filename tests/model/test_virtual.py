"""Virtual tokens through hooks; the oracle is peft's own model, called directly on a base of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from peft import PeftModel, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from tiny_models import Kind, Tiny
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    GenerationConfig,
    T5Config,
    T5ForConditionalGeneration,
)

from afters.config import read_study
from afters.errors import ModelError
from afters.model import files
from afters.model.adapters import save, wrap_virtual
from afters.model.decoding import greedy
from afters.model.frozen import count
from afters.model.load import Loaded, load, prompter_of, skeleton
from afters.model.network import Pair
from afters.model.recompute import recompute
from afters.study.teaching import check_fit
from afters.train.loss import backward

Method = Literal["prompt", "prefix"]

FAMILIES: tuple[Kind, ...] = ("t5", "t5-untied", "bart", "llama", "gpt2", "qwen2")
EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own-csv.toml"
ROWS = [Pair(tuple(range(5, 8 + row)), (*range(30 + row, 32 + 3 * row), 1)) for row in range(4)]
PROMPTS = [(5, 6, 7, 8), (11, 12), (20, 21, 22), (9,)]


def fronted(folder: Path, method: Method, *, hidden: int | None = None) -> tuple[Loaded, Any]:
    """Three virtual tokens that say something."""
    loaded = load(folder, precision="fp32", for_training=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        wrapped = wrap_virtual(loaded.network.module, method=method, tokens=3, hidden=hidden)
        for weight in wrapped.parameters():
            if weight.requires_grad:
                weight.add_(0.3 * torch.randn_like(weight))
    return loaded, wrapped.eval()


def peft_s_own(folder: Path, wrapped: Any, place: Path) -> Any:
    save(wrapped, place, base="tiny", weights=files.weights_hash(folder))
    auto = AutoModelForSeq2SeqLM if wrapped.config.is_encoder_decoder else AutoModelForCausalLM
    model = PeftModel.from_pretrained(auto.from_pretrained(folder), str(place)).eval()
    model.prompt_encoder.requires_grad_(True)
    return model


def loss_of(model: Any, pair: Pair) -> Tensor:
    answer, prompt = torch.tensor([pair.answer]), torch.tensor([pair.prompt])
    if model.config.is_encoder_decoder:
        loss: Tensor = model(input_ids=prompt, attention_mask=torch.ones_like(prompt), labels=answer).loss
        return loss
    whole = torch.cat([prompt, answer], dim=1)
    labels = torch.cat([torch.full_like(prompt, -100), answer], dim=1)
    loss = model(input_ids=whole, attention_mask=torch.ones_like(whole), labels=labels).loss
    return loss


def written(model: Any, prompt: Sequence[int]) -> list[int]:
    """What peft's model writes; `generate` of a prompt in embeddings gives only what is new."""
    ids = torch.tensor([prompt])
    start = getattr(model.config, "decoder_start_token_id", None)
    settings = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": 1, "pad_token_id": 0}
    [row] = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        generation_config=GenerationConfig(**settings, decoder_start_token_id=start),
    ).tolist()
    new: list[int] = row[1:] if model.config.is_encoder_decoder else row[len(prompt) :]
    return new


@pytest.mark.filterwarnings("ignore:Position ids are not supported")  # peft's model says so of its own
@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_losses_and_answers_are_those_of_peft_s_own_model(
    tiny: Tiny, kind: Kind, method: Method, tmp_path: Path
) -> None:
    loaded, wrapped = fronted(tiny(kind), method)
    theirs = peft_s_own(tiny(kind), wrapped, tmp_path)
    with torch.no_grad():
        found = [loaded.network.token_losses([pair]).mean().item() for pair in ROWS]
        assert found == pytest.approx([loss_of(theirs, pair).item() for pair in ROWS], rel=1e-5)
        plain = [load(tiny(kind), precision="fp32").network.token_losses([pair]).mean().item() for pair in ROWS]
    assert found != pytest.approx(plain, rel=1e-2), "the virtual tokens say something"
    answers = greedy(loaded.network, PROMPTS, max_new_tokens=6, ends=[1])
    assert answers == [written(theirs, prompt) for prompt in PROMPTS]


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "gpt2"])
@pytest.mark.parametrize(("method", "hidden"), [("prompt", None), ("prefix", None), ("prefix", 5)])
def test_gradients_are_those_of_peft_s_own_model_however_a_step_is_cut(
    tiny: Tiny, kind: Kind, method: Method, hidden: int | None, tmp_path: Path
) -> None:
    loaded, wrapped = fronted(tiny(kind), method, hidden=hidden)
    total = sum(len(pair.answer) for pair in ROWS)
    found = []
    for budget in (1, 30, 10_000):
        loss = backward(loaded.network, ROWS, tokens=budget, precision="fp32")
        gradients = [weight.grad for weight in wrapped.parameters() if weight.grad is not None]
        found.append((loss, torch.cat([one.flatten() for one in gradients])))
        wrapped.zero_grad()
    for loss, gradient in found[:-1]:
        assert loss == pytest.approx(found[-1][0], rel=1e-5)
        assert (gradient - found[-1][1]).norm() < 1e-3 * found[-1][1].norm()
    if hidden is None:  # peft saves what the inner network makes, not the network
        theirs = peft_s_own(tiny(kind), wrapped, tmp_path)
        expected = torch.stack([loss_of(theirs, pair) * len(pair.answer) for pair in ROWS]).sum() / total
        expected.backward()  # type: ignore[no-untyped-call]
        [of_theirs] = [weight.grad for weight in theirs.prompt_encoder.parameters()]
        torch.testing.assert_close(found[0][1], of_theirs.flatten(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize(("method", "hidden"), [("prompt", None), ("prefix", None), ("prefix", 5)])
def test_they_are_put_on_again_and_a_batch_answers_as_its_rows(
    tiny: Tiny, kind: Kind, method: Method, hidden: int | None, tmp_path: Path
) -> None:
    loaded, wrapped = fronted(tiny(kind), method, hidden=hidden)
    save(wrapped, tmp_path, base="tiny", weights=files.weights_hash(tiny(kind)))
    again = load(tiny(kind), precision="fp32", adapter=tmp_path)
    with torch.no_grad():
        losses = [one.network.token_losses(ROWS) for one in (again, loaded)]
        torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-4)
        alone = torch.cat([loaded.network.token_losses([pair]) for pair in ROWS])
        torch.testing.assert_close(loaded.network.token_losses(ROWS), alone, rtol=1e-4, atol=1e-4)
    answers = greedy(loaded.network, PROMPTS, max_new_tokens=9, ends=[1])
    assert answers == greedy(again.network, PROMPTS, max_new_tokens=9, ends=[1])
    assert answers == [greedy(loaded.network, [one], max_new_tokens=9, ends=[1])[0] for one in PROMPTS]


@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_only_the_virtual_tokens_learn_in_bf16_too(tiny: Tiny, kind: Kind, method: Method) -> None:
    loaded, wrapped = fronted(tiny(kind), method)
    backward(loaded.network, ROWS, tokens=60, precision="bf16")
    learning = {name for name, weight in loaded.network.module.named_parameters() if weight.grad is not None}
    assert learning == {"virtual.default.embedding.weight"}
    # A prompt: 3 tokens of 16 numbers. A prefix: for 2 layers, keys and values; the Llama has one key head of 8.
    expected = {"prompt": 3 * 16, "prefix": 3 * 2 * 2 * (16 if kind == "t5" else 8)}
    assert count(wrapped).trained == expected[method]


@pytest.mark.parametrize("kind", ["t5", "bart", "llama", "gpt2"])
def test_a_prompt_learns_the_same_with_layers_computed_again(tiny: Tiny, kind: Kind) -> None:
    gradients = []
    for again in (False, True):
        loaded, wrapped = fronted(tiny(kind), "prompt")
        if again:
            recompute(loaded.network.module)
        loaded.network.module.train()
        with torch.random.fork_rng():
            torch.manual_seed(4)
            backward(loaded.network, ROWS, tokens=60, precision="fp32")
        gradients.append(wrapped.prompt_encoder.default.embedding.weight.grad)
    assert torch.equal(*gradients) and gradients[0].abs().max() > 0


def test_a_prefix_has_the_shape_of_the_decoder_s_heads() -> None:
    """FLAN-T5-small: 512 wide, with six heads of 64."""
    config = T5Config(
        **{"vocab_size": 40, "d_model": 16, "d_kv": 4, "num_heads": 3, "num_layers": 1, "num_decoder_layers": 2},
        **{"d_ff": 8, "decoder_start_token_id": 0},
    )
    module = T5ForConditionalGeneration(config)
    wrapped = wrap_virtual(module, method="prefix", tokens=5)
    assert count(wrapped).trained == 5 * 2 * 2 * 12
    assert module(input_ids=torch.tensor([[5, 6]]), labels=torch.tensor([[7, 1]])).loss.isfinite()


def test_an_adapter_of_peft_s_own_settings_is_put_on(tiny: Tiny, tmp_path: Path) -> None:
    """For a T5 peft keeps as many tokens again, which nothing reads."""
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny("t5"))
    theirs = get_peft_model(base, PromptTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3)).eval()
    theirs.save_pretrained(tmp_path)
    loaded = load(tiny("t5"), precision="fp32", adapter=tmp_path)
    with torch.no_grad():
        found = [loaded.network.token_losses([pair]).mean().item() for pair in ROWS]
        assert found == pytest.approx([loss_of(theirs, pair).item() for pair in ROWS], rel=1e-5)


def test_virtual_tokens_of_another_kind_are_refused(tiny: Tiny, tmp_path: Path) -> None:
    base = AutoModelForSeq2SeqLM.from_pretrained(tiny("t5"))
    config = PromptEncoderConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=3, encoder_hidden_size=4)
    get_peft_model(base, config).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="virtual tokens cannot be put in place") as caught:
        load(tiny("t5"), adapter=tmp_path)
    assert caught.value.received == "P_TUNING"


@pytest.mark.parametrize("method", ["prompt", "prefix"])
@pytest.mark.parametrize("kind", ["mistral", "gpt_neo", "mpt"])
def test_decoders_whose_attention_counts_padding_are_refused_before_weights_are_read(
    tiny: Tiny, kind: str, method: Method, tmp_path: Path
) -> None:
    """A window over six columns, and two families that take a column for a place."""
    if kind == "mistral":
        folder = tiny("mistral")
    else:
        small = {"vocab_size": 8, "hidden_size": 16, "num_layers": 2, "num_heads": 2, "d_model": 16}
        layers = {"n_layers": 2, "n_heads": 2, "attention_types": [[["global", "local"], 1]]}
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, **small, **layers}))
        folder = tmp_path
    study = read_study(EXAMPLE, changes=[f"train.method={method}"])
    with pytest.raises(ModelError, match=f"cannot stand in front of what a {kind} reads") as caught:
        check_fit(folder, study)
    assert caught.value.where == f'[train] method = "{method}"' and "lora" in str(caught.value)


def test_an_adapter_with_virtual_tokens_is_refused_on_a_decoder_that_counts_padding(tiny: Tiny, tmp_path: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(tiny("mistral"))
    get_peft_model(base, PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=3)).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="cannot stand in front of what a mistral reads") as caught:
        load(tiny("mistral"), adapter=tmp_path)
    assert caught.value.where == tmp_path.name


def test_a_skeleton_takes_them_too(tiny: Tiny) -> None:
    methods: tuple[Method, ...] = ("prompt", "prefix")
    for method in methods:
        assert count(wrap_virtual(skeleton(tiny("bart")), method=method, tokens=3)).trained > 0


def test_virtual_tokens_take_room_from_the_prompt_s(tiny: Tiny) -> None:
    """GPT-2 has 128 positions."""
    rooms = [prompter_of(tiny("gpt2"), max_new_tokens=8, virtual_tokens=tokens).max_prompt_tokens for tokens in (0, 20)]
    assert rooms == [120, 100]
    rooms = [prompter_of(tiny("bart"), max_new_tokens=8, virtual_tokens=tokens).max_prompt_tokens for tokens in (0, 20)]
    assert rooms == [128, 108]
