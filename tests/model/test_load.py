from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import KINDS, Kind, Tiny
from transformers import ByT5Tokenizer

from afters.errors import ModelError
from afters.model.causal import Causal
from afters.model.load import load, prompter_of, resolve_precision, skeleton
from afters.model.seq2seq import Seq2Seq


@pytest.fixture
def llama(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny("llama"), tmp_path / "little-llama"))


def with_config(folder: Path, **settings: object) -> Path:
    told = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**told, **settings}))
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_every_family_is_told_from_its_configuration(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    assert type(loaded.network) is (Seq2Seq if kind in ("t5", "t5-untied", "bart") else Causal)
    assert loaded.prompter.encoder_decoder is (type(loaded.network) is Seq2Seq)
    assert not loaded.network.module.training, "dropout is off until training turns it on"


@pytest.mark.parametrize(("for_training", "dtype"), [(False, torch.bfloat16), (True, torch.float32)])
def test_weights_are_held_in_fp32_for_training_and_in_bf16_for_asking(
    tiny: Tiny, for_training: bool, dtype: torch.dtype
) -> None:
    loaded = load(tiny("t5"), precision="bf16", for_training=for_training)
    assert loaded.precision == "bf16"
    assert {weight.dtype for weight in loaded.network.module.parameters()} == {dtype}


def test_a_precision_that_is_asked_for_is_taken() -> None:
    processor = torch.device("cpu")
    assert resolve_precision("fp32", processor) == "fp32"
    assert resolve_precision("bf16", processor) == "bf16"
    assert resolve_precision("auto", processor) in ("bf16", "fp32")


def test_a_head_of_its_own_stays_one_through_loading_saving_and_loading(tiny: Tiny, tmp_path: Path) -> None:
    """FLAN-T5's head is not its embedding, and transformers 5 says "tied" of every T5."""
    first = load(tiny("t5-untied"), precision="fp32")
    module: Any = first.network.module
    assert not torch.equal(module.lm_head.weight, module.shared.weight)
    module.save_pretrained(tmp_path)
    first.prompter.tokenizer.save_pretrained(tmp_path)
    second = load(tmp_path, precision="fp32")
    ids = torch.tensor([[5, 6, 7]])
    logits = [one.network.module(input_ids=ids, decoder_input_ids=ids).logits for one in (first, second)]
    assert torch.equal(*logits)


def test_a_missing_weight_is_refused_not_drawn_at_random(llama: Path) -> None:
    weights = load_file(llama / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, llama / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"1 weights are missing, as model\.layers\.1\.mlp\.up_proj\.weight"):
        load(llama)


def test_weights_that_are_cut_short_or_of_another_shape_are_told(llama: Path) -> None:
    content = (llama / "model.safetensors").read_bytes()
    for broken in (content[: len(content) // 2], b"", b"\0" * 100):
        (llama / "model.safetensors").write_bytes(broken)
        with pytest.raises(ModelError, match="the weights cannot be read"):
            load(llama)
    (llama / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="the weights cannot be read"):
        load(with_config(llama, intermediate_size=48))


@pytest.mark.parametrize("settings", [{"hidden_size": "wide"}, {"num_attention_heads": 3}, {"hidden_act": "gellu"}])
def test_a_configuration_that_makes_no_model_is_told(llama: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        load(with_config(llama, **settings))


def test_an_architecture_that_is_not_known_is_told_with_the_nearest(llama: Path) -> None:
    with pytest.raises(ModelError, match="unknown model_type 'lama'; did you mean 'llama'"):
        load(with_config(llama, model_type="lama"))


@pytest.mark.parametrize("family", ["mamba", "qwen3_next", "lfm2"])
def test_a_decoder_whose_layers_keep_states_is_refused(tmp_path: Path, family: str) -> None:
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    layers = {"layer_types": ["conv", "full_attention"], **heads} if family == "lfm2" else {}
    small = {"vocab_size": 8, "hidden_size": 16, "num_hidden_layers": 2, "intermediate_size": 16, **layers}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family, **small}))
    with pytest.raises(ModelError, match=f"{family} models are not supported yet"):
        skeleton(tmp_path)


def test_a_tokenizer_that_asks_for_code_is_refused_and_runs_nothing(llama: Path, tmp_path: Path) -> None:
    told = json.loads((llama / "tokenizer_config.json").read_text())
    told |= {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["evil.Evil", None]}}
    (llama / "tokenizer_config.json").write_text(json.dumps(told))
    (llama / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Evil: pass\n")
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        load(llama)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_tokenizer_that_is_missing_or_broken_is_told(llama: Path, text: str | None) -> None:
    (llama / "tokenizer.json").unlink()
    if text is not None:
        (llama / "tokenizer.json").write_text(text)
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        load(llama)


def test_a_tokenizer_that_is_python_alone_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny("t5"), tmp_path / "little-byt5"))
    (folder / "tokenizer.json").unlink()
    ByT5Tokenizer().save_pretrained(folder)
    with pytest.raises(ModelError, match="written in Python alone") as caught:
        prompter_of(folder)
    assert (caught.value.where, caught.value.received) == ("little-byt5", "ByT5Tokenizer")


def test_the_identity_tells_models_apart(tiny: Tiny, llama: Path) -> None:
    first = load(tiny("llama"), precision="fp32").identity
    assert load(llama, precision="fp32").identity == first, "where a model lies says nothing"
    assert load(llama, precision="bf16").identity != first
    assert load(llama, precision="fp32", max_prompt_tokens=99).identity != first
    assert load(with_config(llama, rope_theta=9.0), precision="fp32").identity != first


def test_the_identity_tells_how_attention_is_computed(tiny: Tiny) -> None:
    kinds: tuple[Kind, ...] = ("bart", "t5", "llama")
    told = {load(tiny(kind), precision="fp32").identity["attention"] for kind in kinds}
    assert "sdpa" in told and len(told) == 3
