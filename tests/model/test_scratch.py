from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import SENTENCES

from afters.errors import InputError, ModelError
from afters.model import files
from afters.model.decoding import greedy
from afters.model.load import load
from afters.model.scratch import blueprint, draw, write
from afters.model.vocabulary import learn

T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_heads": 2, "num_layers": 2}
LLAMA = {
    **{"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128},
}
GPT2 = {"model_type": "gpt2", "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 128}
BART = {
    **{"model_type": "bart", "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 32},
    **{"max_position_embeddings": 128},
}
PHI = {
    **{"model_type": "phi", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1},
    **{"num_attention_heads": 2, "max_position_embeddings": 128},
}


def plan_of(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "tiny.json").write_text(json.dumps(config))
    return folder / "tiny.json"


def begin(folder: Path, config: dict[str, Any], *, seed: int, name: str) -> Path:
    plan = blueprint(plan_of(folder, config))
    write(plan, folder / name, tokenizer=learn(SENTENCES, size=400, encoder_decoder=plan.encoder_decoder))
    draw(folder / name, seed=seed)
    return folder / name


@pytest.mark.parametrize("config", [T5, LLAMA, GPT2, BART, PHI], ids=lambda config: str(config["model_type"]))
def test_the_weights_are_the_seed_s_and_leave_nobody_s_chance_moved(tmp_path: Path, config: dict[str, Any]) -> None:
    state = torch.random.get_rng_state()
    one = load_file(begin(tmp_path, config, seed=3, name="one") / "model.safetensors")
    assert torch.equal(state, torch.random.get_rng_state())
    torch.rand(7)
    two = load_file(begin(tmp_path, config, seed=3, name="two") / "model.safetensors")
    other = load_file(begin(tmp_path, config, seed=4, name="other") / "model.safetensors")
    assert all(torch.equal(one[name], two[name]) for name in one)
    matrices = [name for name in one if one[name].ndim > 1 and one[name].count_nonzero()]
    assert matrices and not any(torch.equal(one[name], other[name]) for name in matrices)


@pytest.mark.parametrize("config", [T5, LLAMA, GPT2, BART, PHI], ids=lambda config: str(config["model_type"]))
def test_a_model_from_scratch_loads_like_any_other(tmp_path: Path, config: dict[str, Any]) -> None:
    loaded = load(begin(tmp_path, config, seed=3, name="one"), precision="fp32")
    module: Any = loaded.network.module
    tokenizer = loaded.prompter.tokenizer
    assert module.config.vocab_size == len(tokenizer)
    assert (
        (module.config.pad_token_id, module.config.eos_token_id)
        == (0, 1)
        == (
            tokenizer.pad_token_id,
            tokenizer.eos_token_id,
        )
    )
    assert greedy(loaded.network, [(5, 6, 7)], max_new_tokens=3, ends=(1,))[0]


def test_the_tokenizer_beside_a_configuration_is_taken(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text(json.dumps(LLAMA))
    learn(SENTENCES, size=300, encoder_decoder=False).save_pretrained(tmp_path / "model")
    path = files.configuration("model", relative_to=tmp_path)
    assert path is not None and path.name == "config.json"
    plan = blueprint(path)
    assert plan.brings_tokenizer
    write(plan, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] == 300


def test_a_folder_with_weights_or_their_index_is_no_configuration(tmp_path: Path) -> None:
    for name in ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json"):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(T5))
        assert files.configuration(folder.name, relative_to=tmp_path)
        (folder / name).write_bytes(b"")
        assert files.configuration(folder.name, relative_to=tmp_path) is None
    assert files.configuration("nowhere.json", relative_to=tmp_path) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({**T5, "d_modle": 16}, "did you mean 'd_model'"),
        ({**LLAMA, "num_layer": 2}, "unknown key 'num_layer'"),
        ({**T5, "num_layers": 0}, "num_layers = 0"),
        ({**T5, "d_model": "wide"}, "expected int, got str"),
        ({**LLAMA, "hidden_size": 18}, "not a multiple of the number of attention heads"),
        ({**LLAMA, "num_key_value_heads": 3}, "share keys and values"),
        ({**GPT2, "n_embd": 17}, "17"),
        ({**BART, "d_model": 17}, "17"),
        ({**PHI, "hidden_size": 17}, "17"),
        ({**T5, "feed_forward_proj": "gatd-gelu"}, "gatd-gelu"),
        ({**T5, "model_type": "t6"}, "unknown model_type 't6'"),
        ({"d_model": 16}, "unknown model_type 'None'"),
        ({**T5, "auto_map": {"AutoModel": "code.py"}}, "code of its own"),
    ],
    ids=str,
)
def test_a_configuration_that_gives_no_model_is_refused(tmp_path: Path, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        blueprint(plan_of(tmp_path, wrong))
    assert said in str(caught.value) and "tiny.json" in str(caught.value)


def test_all_wrong_keys_are_told_together(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 problems"):
        blueprint(plan_of(tmp_path, {**T5, "d_modle": 1, "layers": 2, "d_ff": -1}))


def test_a_published_configuration_is_taken_as_it_is(tmp_path: Path) -> None:
    """FLAN-T5's own keys, some of which transformers has dropped since."""
    older = {
        **{"architectures": ["T5ForConditionalGeneration"], "torch_dtype": "float32", "transformers_version": "4.23.1"},
        **{"n_positions": 512, "output_past": True, "task_specific_params": {"summarization": {"max_length": 200}}},
        **{"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0, "is_encoder_decoder": True},
        **{"layer_norm_epsilon": 1e-6, "initializer_factor": 1.0, "use_cache": True, "tie_word_embeddings": False},
    }
    assert blueprint(plan_of(tmp_path, {**T5, **older})).encoder_decoder


@pytest.mark.parametrize(
    ("more", "said"), [({"vocab_size": 399}, "more pieces than the model"), ({"eos_token_id": 2}, "eos_token_id")]
)
def test_a_tokenizer_that_the_configuration_contradicts_is_refused(
    tmp_path: Path, more: dict[str, Any], said: str
) -> None:
    tokenizer = learn(["a b c d"] * 3 + list(SENTENCES), size=400, encoder_decoder=True)
    with pytest.raises(ModelError, match=said):
        write(blueprint(plan_of(tmp_path, {**T5, **more})), tmp_path / "out", tokenizer=tokenizer)
    write(blueprint(plan_of(tmp_path, {**T5, "vocab_size": 500})), tmp_path / "out", tokenizer=tokenizer)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["vocab_size"] == 500
