from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from afters.train.settings import Ia3Settings, LoraSettings, TrainSettings, VirtualSettings


@pytest.mark.parametrize(
    "wrong",
    [
        *({"epochs": 0}, {"epochs": -1}, {"epochs": float("inf")}, {"epochs": float("nan")}, {"batch_rows": 0}),
        *({"learning_rate": 0}, {"learning_rate": float("inf")}, {"learning_rate": "fast"}, {"token_budget": 0}),
        *({"optimizer": "sgd"}, {"schedule": "inverse"}),
        *({"scale_parameter": 2}, {"scale_parameter": "some"}),
        *({"warmup": 1}, {"warmup": -0.1}, {"schedule": "cosin"}, {"method": "qlora"}, {"clip": 0}),
        *({"label_smoothing": 1}, {"label_smoothing": -0.1}),
        *({"betas": (1.0, 0.9)}, {"betas": (-0.1, 0.9)}, {"betas": (0.9,)}, {"weight_decay": -1}),
        *({"window_steps": 0}, {"validations": 0}, {"patience": 0}, {"keep_best_by": "luck"}),
        *({"lora": {"rank": 0}}, {"lora": {"alpha": 0}}, {"lora": {"dropout": 1}}, {"lora": {"targets": ()}}),
        *({"batch_size": 8}, {"lora": {"r": 8}}, {"virtual": {"tokens": 0}}, {"virtual": {"hidden": 0}}),
    ],
    ids=str,
)
def test_a_setting_that_cannot_be_used_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainSettings(**wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"lora": {"rank": 4}}, r'the table lora only with .* \(here "full"\)'),
        ({"method": "ia3", "lora": {"rank": 4}}, r'the table lora only with .* \(here "ia3"\)'),
        ({"method": "lora", "ia3": {"targets": ["q"]}}, 'the table ia3 only with method = "ia3"'),
        ({"method": "dora", "virtual": {"tokens": 5}}, 'the table virtual only with method = "prompt" or "prefix"'),
        ({"method": "prompt", "virtual": {"hidden": 5}}, 'virtual.hidden only with method = "prefix"'),
        ({"method": "ia3", "ia3": {"targets": ["q"], "feedforward": ["wo"]}}, "among ia3.targets as well"),
        ({"merge": True}, "merge only with .*all weights learn"),
        ({"method": "prompt", "merge": True}, "merge only with .*virtual tokens are no weights of the base"),
        ({"method": "prefix", "merge": True}, "merge only with .*virtual tokens are no weights of the base"),
        ({"method": "prefix", "gradient_checkpointing": True}, 'gradient_checkpointing not with method = "prefix"'),
        ({"method": "lora", "frozen": ["shared"]}, 'frozen only with method = "full"'),
        ({"optimizer": "adafactor", "betas": (0.8, 0.9)}, 'betas only with optimizer = "adamw"'),
        ({"optimizer": "adafactor", "scale_parameter": True}, 'scale_parameter only with optimizer = "adamw"'),
    ],
    ids=str,
)
def test_settings_that_contradict_each_other_are_refused_with_the_way_out(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told) as caught:
        TrainSettings(**wrong)
    assert "remove" in str(caught.value)


def test_tables_may_be_written_out_as_they_are_by_default() -> None:
    """As a run's own study.toml has them."""
    written = TrainSettings().model_dump()
    assert TrainSettings(**{**written, "method": "ia3"}).method == "ia3"


def test_all_contradictions_are_told_together() -> None:
    with pytest.raises(ValidationError) as caught:
        TrainSettings(method="lora", frozen=("shared",), optimizer="adafactor", scale_parameter=True)
    assert all(name in str(caught.value) for name in ("frozen only", "scale_parameter only"))


def test_settings_never_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSettings().epochs = 5


@pytest.mark.parametrize("settings", [TrainSettings, LoraSettings, Ia3Settings, VirtualSettings])
def test_every_setting_has_its_sentence(settings: type[BaseModel]) -> None:
    for name, field in settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
