from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_models import Tiny
from tiny_training import STEPS, losses_of, newest, teach
from torch import Tensor

from afters.model.load import load
from afters.train.optimizer import give_back, kept, make_optimizer, pull_back, set_rate
from afters.train.settings import TrainSettings


def weights() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(4)
    shapes = {"matrix": (6, 4), "bias": (4,), "zero": (3, 5)}
    drawn = {name: torch.randn(shape, generator=chance) for name, shape in shapes.items()}
    return {name: torch.nn.Parameter(one * (name != "zero")) for name, one in drawn.items()}


def take_steps(optimizer: torch.optim.Optimizer, learnt: dict[str, Tensor], *, first: int, last: int) -> None:
    for step in range(first, last):
        chance = torch.Generator().manual_seed(step)
        for weight in learnt.values():
            weight.grad = torch.randn(weight.shape, generator=chance) * 10.0**step
        optimizer.step()


def test_adafactor_takes_the_steps_of_torch_s_own() -> None:
    """That one caps the rate at 1 / sqrt(step), which six steps of this rate never meet."""
    settings = TrainSettings(optimizer="adafactor", learning_rate=0.05)
    ours, theirs = weights(), weights()
    take_steps(make_optimizer([*ours.values()], settings=settings), ours, first=0, last=6)
    take_steps(torch.optim.Adafactor([*theirs.values()], lr=0.05), theirs, first=0, last=6)
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-4, atol=1e-6)
        assert not torch.equal(weight, weights()[name]), "also what was 0 moves"


def test_the_rate_is_the_schedule_s_and_nothing_else() -> None:
    settings = TrainSettings(optimizer="adafactor", learning_rate=3.0)
    learnt = weights()
    optimizer = make_optimizer([*learnt.values()], settings=settings)
    take_steps(optimizer, learnt, first=0, last=3)
    before = {name: weight.detach().clone() for name, weight in learnt.items()}
    set_rate(optimizer, share=0.5, settings=settings)
    take_steps(optimizer, learnt, first=3, last=4)
    for name, weight in learnt.items():
        size = before[name].square().mean().sqrt()
        moved = (weight - before[name]).square().mean().sqrt()
        assert 0.3 < moved / (1.5 * size) <= 1.0 + 1e-5, name


@pytest.mark.parametrize("name", ["adamw", "adafactor"])
def test_what_an_optimizer_keeps_is_all_it_needs_to_go_on(name: str) -> None:
    settings = TrainSettings.model_validate({"optimizer": name, "learning_rate": 0.05, "weight_decay": 0.1})
    through, cut = weights(), weights()
    optimizer = make_optimizer([*through.values()], settings=settings)
    take_steps(optimizer, through, first=0, last=6)
    before = make_optimizer([*cut.values()], settings=settings)
    take_steps(before, cut, first=0, last=3)
    tensors = {key: one.clone() for key, one in kept(before, weights=cut).items()}
    after = make_optimizer([*cut.values()], settings=settings)
    give_back(after, weights=cut, tensors=tensors)
    take_steps(after, cut, first=3, last=6)
    assert all(torch.equal(cut[key], weight) for key, weight in through.items())
    ends, found = kept(optimizer, weights=through), kept(after, weights=cut)
    assert ends.keys() == found.keys()
    assert all(torch.equal(one, found[key]) and one.dtype == found[key].dtype for key, one in ends.items())


def test_adafactor_keeps_a_row_and_a_column_of_each_matrix(tiny: Tiny, tmp_path: Path) -> None:
    loaded = load(tiny("t5"), precision="fp32", for_training=True)
    teach(loaded, tmp_path, optimizer="adafactor", learning_rate=0.05)
    state = newest(tmp_path)["optimizer.safetensors"]
    assert state["exp_avg_sq_row.shared.weight"].shape == (loaded.network.module.config.vocab_size,)  # type: ignore[union-attr]
    assert {int(value) for key, value in state.items() if key.startswith("step.")} == {STEPS}
    losses = losses_of(tmp_path)
    assert sum(losses[-3:]) < sum(losses[:3])


def test_weights_go_back_by_their_rate_times_the_strength_and_no_further_than_the_base() -> None:
    settings = TrainSettings(scale_parameter=True, learning_rate=0.05)
    learnt, moved = weights(), torch.tensor(2.0)
    beginnings = {weight: weight.detach() - moved for weight in learnt.values()}
    optimizer = make_optimizer([*learnt.values()], settings=settings)
    set_rate(optimizer, share=0.5, settings=settings)
    rates = {group["params"][0]: group["lr"] for group in optimizer.param_groups}
    expected = {name: weight.detach() - 3.0 * rates[weight] * moved for name, weight in learnt.items()}
    pull_back(optimizer, beginnings, strength=3.0)
    for name, weight in learnt.items():
        torch.testing.assert_close(weight.detach(), expected[name])
    pull_back(optimizer, beginnings, strength=1e6)
    for weight in learnt.values():
        torch.testing.assert_close(weight.detach(), beginnings[weight])


def test_weight_decay_pulls_on_matrices_only_in_adafactor_too() -> None:
    ends = []
    for decay in (0.0, 0.5):
        learnt = weights()
        settings = TrainSettings(optimizer="adafactor", learning_rate=0.05, weight_decay=decay)
        take_steps(make_optimizer([*learnt.values()], settings=settings), learnt, first=0, last=2)
        ends.append(learnt)
    assert torch.equal(ends[0]["bias"], ends[1]["bias"])
    assert not torch.equal(ends[0]["matrix"], ends[1]["matrix"])
