from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import Kind, Tiny

from afters.errors import ModelError
from afters.model import files
from afters.model.adapters import put_on, wrap
from afters.model.frozen import count
from afters.model.load import Loaded, load
from afters.model.network import Pair
from afters.train.loop import train
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
    train(loaded.network, PAIRS, settings, seed=1, folder=folder, precision="fp32")


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
    answers = [one.network.greedy(PROMPTS, max_new_tokens=6, ends=[1]) for one in (loaded, again, plain)]
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
    with pytest.raises(ModelError, match="LoRA finds no layer of those names") as caught:
        adapted(tiny("llama"), targets=("q_prj",))
    assert caught.value.received == "q_prj"


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
        put_on(load(tiny("llama")).network.module, tmp_path)
