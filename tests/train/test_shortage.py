"""Too little memory: the step is done again in smaller pieces, and comes to the same update."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import Tiny
from tiny_training import ONE_BATCH, PAIRS, STEPS, losses_of, same, t5, teach, weights_of
from torch import Tensor

from afters.errors import SettingsError
from afters.model.load import Loaded
from afters.model.network import Pair
from afters.train import checkpoint
from afters.train.shortage import is_shortage, padded_tokens, smaller

ALLOCATOR = "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to…"
"""What torch 2.13 raises as a RuntimeError on a processor."""


@pytest.fixture(autouse=True)
def as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of ten tokens, padded to multiples of 32, would all be as long."""
    monkeypatch.setattr("afters.model.seq2seq.MULTIPLES", (1, 1))


def limit(
    loaded: Loaded, tokens: int, *, error: Callable[[], BaseException] = MemoryError, taught: int = 0
) -> list[int]:
    """Let more than so many padded tokens at once, in training, fail; return the sizes that were computed.

    The first `taught` micro-batches are let through.
    """
    honest, sizes = loaded.network.token_losses, list[int]()

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if not loaded.network.module.training:
            return honest(pairs, smoothing=smoothing)
        losses = honest(pairs, smoothing=smoothing)  # the memory runs out after some of the work is done
        if padded_tokens(loaded.network, pairs) > tokens and len(sizes) >= taught:
            raise error()
        sizes.append(padded_tokens(loaded.network, pairs))
        return losses

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]
    return sizes


def line_one(folder: Path) -> str:
    return (folder / "steps.jsonl").read_text().splitlines()[0]


@pytest.mark.parametrize(
    "error",
    [MemoryError, torch.OutOfMemoryError, lambda: RuntimeError(ALLOCATOR), lambda: RuntimeError("not enough memory")],
)
def test_less_is_computed_at_once_and_the_update_stays_the_same(
    tiny: Tiny, tmp_path: Path, error: Callable[[], BaseException]
) -> None:
    free, short, told = t5(tiny, dropout=False), t5(tiny, dropout=False), list[str]()
    sizes = limit(short, 30, error=error)
    options: dict[str, Any] = {"token_budget": ONE_BATCH, "learning_rate": 1e-3}
    teach(free, tmp_path / "free", **options)
    teach(short, tmp_path / "short", tell=told.append, **options)
    assert max(sizes) <= 30
    assert losses_of(tmp_path / "short") == pytest.approx(losses_of(tmp_path / "free"), rel=2e-4)
    first, same_first = (json.loads(line) for line in (line_one(tmp_path / "free"), line_one(tmp_path / "short")))
    assert first["gradient_norm"] == pytest.approx(same_first["gradient_norm"], rel=1e-5)
    # The longest four rows take 4 x (9 + 7) tokens.
    assert told[0] == (
        "memory ran out in the trial of the longest rows: it is done again with 32 tokens at once instead of 10,000, "
        "and so is all that follows"
    )
    assert told[1].startswith("memory ran out in step 2: it is done again with 16 tokens at once instead of 32")


def test_the_step_begins_again_with_its_own_chance_and_without_half_a_gradient(tiny: Tiny, tmp_path: Path) -> None:
    """With dropout, a step that ran out of memory is bit for bit the one that was small from the start."""
    small, short, told = t5(tiny), t5(tiny), list[str]()
    limit(short, 16)
    teach(short, tmp_path / "short", token_budget=32, tell=told.append)
    [words] = re.findall(r"with (\d+) tokens", "".join(told))
    teach(small, tmp_path / "small", token_budget=int(words))
    assert same(weights_of(small), weights_of(short))
    assert losses_of(tmp_path / "small") == losses_of(tmp_path / "short")


def test_a_shortage_in_the_middle_of_a_run_is_remembered_when_it_goes_on(tiny: Tiny, tmp_path: Path) -> None:
    def stop(step: int, steps: int, loss: float) -> None:
        if step == 8:
            raise KeyboardInterrupt

    whole, first, told = t5(tiny), t5(tiny), list[str]()
    limit(whole, 40, taught=4)
    teach(whole, tmp_path / "whole", token_budget=ONE_BATCH, tell=told.append)
    assert told[0].startswith("memory ran out in step 4:")
    limit(first, 40, taught=4)
    with pytest.raises(KeyboardInterrupt):
        teach(first, tmp_path / "cut", token_budget=ONE_BATCH, on_step=stop)
    told.clear()
    second = t5(tiny)
    sizes = limit(second, 40)
    teach(second, tmp_path / "cut", token_budget=ONE_BATCH, tell=told.append)
    assert told == [] and max(sizes) <= 40
    assert same(weights_of(second), weights_of(whole))
    assert losses_of(tmp_path / "cut") == losses_of(tmp_path / "whole")
    state = json.loads((checkpoint.saved(tmp_path / "cut" / "checkpoints")[-1] / "state.json").read_text())
    assert state["progress"]["token_budget"] <= 40 and state["progress"]["step"] == STEPS


def test_a_single_row_that_does_not_fit_ends_the_run_with_the_way_out(tiny: Tiny, tmp_path: Path) -> None:
    loaded = t5(tiny)
    before = weights_of(loaded)
    limit(loaded, 10)
    with pytest.raises(SettingsError, match=r"a single row of \d+ tokens does not fit into memory"):
        teach(loaded, tmp_path)
    assert same(before, weights_of(loaded))


def test_other_errors_are_no_shortage(tiny: Tiny, tmp_path: Path) -> None:
    loaded = t5(tiny)
    limit(loaded, 10, error=lambda: RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        teach(loaded, tmp_path)


def test_what_a_real_allocator_says_is_understood() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert is_shortage(raised.value)
    assert not is_shortage(ValueError("not enough memory"))


def test_the_budget_always_falls_until_rows_stand_alone(tiny: Tiny) -> None:
    tokens, network = ONE_BATCH, t5(tiny).network
    with pytest.raises(SettingsError):
        for _ in range(20):
            tokens, before = smaller(network, [PAIRS[:8]], tokens=tokens), tokens
            assert 1 <= tokens < before
