from __future__ import annotations

import math

import pytest
import torch
from transformers import get_inverse_sqrt_schedule

from afters.train.schedule import CURVES, FINAL_SHARE, share_of_rate


def shares(*, steps: int, warmup: float, curve: str) -> list[float]:
    return [share_of_rate(step, steps=steps, warmup=warmup, curve=curve) for step in range(steps)]


def test_the_values_of_short_runs() -> None:
    assert shares(steps=4, warmup=0.5, curve="constant") == [0.5, 1.0, 1.0, 1.0]
    assert shares(steps=5, warmup=0.2, curve="linear") == pytest.approx([1.0, 1.0, 0.775, 0.55, 0.325])
    quarter, half = (1 + math.sqrt(0.5)) / 2, 0.5
    assert shares(steps=4, warmup=0, curve="cosine") == pytest.approx(
        [1.0, 0.1 + 0.9 * quarter, 0.1 + 0.9 * half, 0.1 + 0.9 * (1 - quarter)]
    )


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 1000])
@pytest.mark.parametrize("warmup", [0, 0.05, 0.5, 0.99])
def test_the_rate_rises_then_never_rises_again_and_every_step_teaches(curve: str, steps: int, warmup: float) -> None:
    found = shares(steps=steps, warmup=warmup, curve=curve)
    assert all(FINAL_SHARE / steps <= share <= 1 for share in found)
    assert max(found) == 1.0
    top = found.index(1.0)
    assert found[: top + 1] == sorted(set(found[: top + 1]))
    assert found[top:] == sorted(found[top:], reverse=True)
    assert top <= math.ceil(warmup * steps)


def test_falling_curves_end_near_a_tenth() -> None:
    for curve in ("cosine", "linear"):
        assert FINAL_SHARE < shares(steps=1000, warmup=0.05, curve=curve)[-1] < FINAL_SHARE + 0.01


def test_the_inverse_square_root_is_that_of_transformers() -> None:
    """Theirs counts steps from 0 and gives the first one no rate at all; so ours is a step ahead."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = get_inverse_sqrt_schedule(optimizer, num_warmup_steps=10)
    rates = []
    for _ in range(100):
        optimizer.step()
        schedule.step()
        rates.append(schedule.get_last_lr()[0])
    assert shares(steps=100, warmup=0.1, curve="inverse_sqrt") == pytest.approx(rates)
    assert shares(steps=9, warmup=0, curve="inverse_sqrt")[::8] == pytest.approx([1.0, 1 / 3])


def test_a_warm_up_of_a_tenth_of_a_hundred_steps_takes_ten() -> None:
    assert shares(steps=100, warmup=0.1, curve="constant").index(1.0) == 9
