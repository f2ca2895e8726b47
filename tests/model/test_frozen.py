from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tiny_models import Kind, Tiny
from tiny_training import teach, weights_of

from afters.errors import InputError, Problems, SettingsError
from afters.model.frozen import count, freeze
from afters.model.load import load, skeleton


def frozen_of(tiny: Tiny, kind: Kind, parts: Sequence[str]) -> set[str]:
    module = skeleton(tiny(kind))
    freeze(module, parts=parts)
    return {name for name, weight in module.named_parameters() if not weight.requires_grad}


def test_a_part_is_frozen_with_all_below_it_and_nothing_beside(tiny: Tiny) -> None:
    names = {name for name, _ in skeleton(tiny("t5")).named_parameters()}
    assert frozen_of(tiny, "t5", ["shared", "encoder"]) == {
        name for name in names if name.startswith(("shared.", "encoder."))
    }
    assert frozen_of(tiny, "llama", ["model.layers.1"]) == {
        name for name, _ in skeleton(tiny("llama")).named_parameters() if name.startswith("model.layers.1.")
    }
    assert frozen_of(tiny, "llama", ["model.norm.weight"]) == {"model.norm.weight"}


def test_what_is_frozen_stays_and_the_rest_learns(tiny: Tiny, tmp_path: Path) -> None:
    loaded = load(tiny("t5"), precision="fp32", for_training=True)
    freeze(loaded.network.module, parts=["shared", "encoder"])
    before = weights_of(loaded)
    teach(loaded, tmp_path, weight_decay=0.1, epochs=0.5)
    stayed = {name for name, weight in weights_of(loaded).items() if torch.equal(weight, before[name])}
    assert stayed == {name for name in before if name.startswith(("shared.", "encoder."))}
    learning = count(loaded.network.module)
    assert learning.trained == sum(weight.numel() for name, weight in before.items() if name not in stayed)


def test_an_unknown_part_is_told_with_the_nearest_one(tiny: Tiny) -> None:
    with pytest.raises(SettingsError, match=r"unknown part of the model 'encodr'; did you mean 'encoder'\?"):
        freeze(skeleton(tiny("t5")), parts=["encodr"])
    with pytest.raises(SettingsError, match=r"did you mean 'decoder\.block\.1'\?"):
        freeze(skeleton(tiny("t5")), parts=["decoder.block.7"])
    with pytest.raises(Problems) as caught:
        freeze(skeleton(tiny("t5")), parts=["encodr", "shard", "decoder"])
    assert len(caught.value.problems) == 2
    with pytest.raises(SettingsError, match="unknown part"):
        freeze(skeleton(tiny("t5")), parts=["enc"])


@pytest.mark.parametrize(
    ("kind", "part", "first"), [("llama", "lm_head", "model.embed_tokens.weight"), ("t5", "lm_head", "shared.weight")]
)
def test_a_tied_head_goes_by_the_name_of_the_embeddings(tiny: Tiny, kind: Kind, part: str, first: str) -> None:
    with pytest.raises(SettingsError, match=f"'{part}' is one tensor with '{first}'"):
        freeze(skeleton(tiny(kind)), parts=[part])
    assert frozen_of(tiny, "t5-untied", ["lm_head"]) == {"lm_head.weight"}


def test_a_model_that_is_frozen_whole_is_refused(tiny: Tiny) -> None:
    with pytest.raises(InputError, match="every weight is frozen") as caught:
        freeze(skeleton(tiny("gpt2")), parts=["transformer"])
    assert caught.value.received == "transformer"


def test_a_skeleton_has_the_names_and_shapes_of_the_loaded_model(tiny: Tiny) -> None:
    kinds: tuple[Kind, ...] = ("t5", "t5-untied", "bart", "llama", "gpt2", "qwen2")
    for kind in kinds:
        loaded = load(tiny(kind)).network.module
        bones = skeleton(tiny(kind))
        assert {name: weight.shape for name, weight in bones.named_parameters()} == {
            name: weight.shape for name, weight in loaded.named_parameters()
        }
        assert {weight.device.type for weight in bones.parameters()} == {"meta"}
