"""What can be told of 4-bit bases without a GPU: that they are refused. What they answer is not tested here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_models import Tiny
from torch import nn

from afters.config import read_study, study_of
from afters.errors import ModelError, SettingsError
from afters.model import quantised
from afters.model.frozen import count
from afters.model.load import load
from afters.study.teaching import check_fit

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own-csv.toml"


def test_without_a_gpu_a_base_in_4_bits_is_refused(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="needs a GPU, and there is none"):
        load(tiny("llama"), quantised="4bit")
    study = read_study(EXAMPLE, changes=["model.quantised=4bit", "train.method=lora"])
    with pytest.raises(ModelError, match="needs a GPU, and there is none"):
        check_fit(tiny("llama"), study)


def test_without_bitsandbytes_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(quantised, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install 'afters\[gpu\]'"):
        quantised.check_device()


@pytest.mark.parametrize("train", [{}, {"method": "lora", "merge": True}], ids=["full", "merged"])
def test_what_would_change_its_weights_is_refused(train: dict[str, object]) -> None:
    plain = read_study(EXAMPLE).plain()
    for settings in ({"method": "lora"}, {"method": "prefix"}):
        assert study_of({**plain, "model": {"quantised": "4bit"}, "train": settings}).model.quantised == "4bit"
    with pytest.raises(SettingsError, match="whose weights cannot change"):
        study_of({**plain, "model": {"quantised": "4bit"}, "train": train})


def test_packed_weights_are_counted_by_what_they_hold() -> None:
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.quant_state = SimpleNamespace(shape=torch.Size([8, 2]))  # type: ignore[attr-defined]
    assert count(layer).all == 16
