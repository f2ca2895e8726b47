"""Cheap masks against what dropout is; PyTorch's own layer is the oracle for its scale and its stillness."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import binomtest
from torch import nn

from afters.model.dropout import Dropout, cheapen, dropped, kept


def seeded(seed: int, shape: tuple[int, ...], dropout: float) -> torch.Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return kept(torch.Size(shape), dropout=dropout)


@pytest.mark.parametrize("dropout", [0.05, 0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_one_asked_for(dropout: float) -> None:
    stays = seeded(1, (1000, 301), dropout)
    assert set(stays.flatten().tolist()) == {-1, 0}
    zeros = int((stays == 0).sum())
    assert binomtest(zeros, stays.numel(), dropout).pvalue > 0.001


def test_units_are_dropped_independently_of_their_neighbours() -> None:
    stays = (seeded(2, (200_000,), 0.3) == -1).double()
    for distance in (1, 2, 3, 4, 8, 64):
        together = torch.corrcoef(torch.stack([stays[:-distance], stays[distance:]]))[0, 1]
        assert abs(float(together)) < 4 / len(stays) ** 0.5


def test_masks_follow_pytorchs_own_stream() -> None:
    assert torch.equal(seeded(3, (40, 7), 0.5), seeded(3, (40, 7), 0.5))
    assert not torch.equal(seeded(3, (40, 7), 0.5), seeded(4, (40, 7), 0.5))
    with torch.random.fork_rng():
        first, second = kept(torch.Size((99,)), dropout=0.5), kept(torch.Size((99,)), dropout=0.5)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_values_and_gradients_are_masked_alike_and_scaled_as_pytorch_scales(dtype: torch.dtype) -> None:
    values = torch.linspace(-3, 3, 120, dtype=dtype).reshape(4, 30).requires_grad_()
    layer = Dropout(0.25)
    made = layer(values)
    made.sum().backward()
    assert made.dtype == dtype
    assert values.grad is not None
    survivors = values.grad != 0
    assert 0 < survivors.sum() < 120
    torch.testing.assert_close(values.grad[survivors], torch.full_like(values.grad[survivors], 1 / 0.75))
    torch.testing.assert_close(made, values.detach() * values.grad, rtol=1e-2, atol=0)
    oracle = nn.Dropout(0.25)(torch.ones(1000, dtype=dtype))
    torch.testing.assert_close(oracle.max(), values.grad.max())


def test_what_is_dropped_is_nothing_even_where_it_was_not_a_number() -> None:
    stays = torch.tensor([0, -1], dtype=torch.int16)
    found = dropped(torch.tensor([float("inf"), 2.0], dtype=torch.bfloat16), stays, dropout=0.5)
    assert found.tolist() == [0.0, 4.0]


def test_nothing_is_dropped_when_not_training_or_not_asked() -> None:
    values = torch.rand(50)
    assert torch.equal(Dropout(0.5).eval()(values), values)
    assert torch.equal(Dropout(0.0)(values), values)


def test_every_plain_dropout_within_a_module_is_replaced() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1), nn.Sequential(nn.Dropout(0.2), nn.Dropout1d(0.3)))
    cheapen(module)
    kinds = [type(part) for part in module.modules() if not isinstance(part, nn.Sequential)]
    assert kinds == [nn.Linear, Dropout, Dropout, nn.Dropout1d]
    assert [part.p for part in module.modules() if isinstance(part, Dropout)] == [0.1, 0.2]
