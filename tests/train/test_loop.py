from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_models import Tiny
from tiny_training import ONE_BATCH, PAIRS, STEPS, losses_of, newest, same, t5, teach, weights_of
from torch import Tensor

from afters.errors import AftersError, SettingsError
from afters.model.load import Loaded, Precision
from afters.model.network import Pair
from afters.train import checkpoint
from afters.train.lessons import Pairs
from afters.train.loss import mean_loss
from afters.train.order import Order


def spoil(loaded: Loaded, monkeypatch: pytest.MonkeyPatch, *, steps: Sequence[int], factor: float) -> None:
    """Multiply the losses of these steps (from 1) by a factor that is not finite; each step must be one batch."""
    honest, calls = loaded.network.token_losses, 0

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        nonlocal calls
        calls += loaded.network.module.training
        # The first call is the trial of the longest rows.
        return honest(pairs, smoothing=smoothing) * (
            factor if loaded.network.module.training and calls - 1 in steps else 1.0
        )

    monkeypatch.setattr(loaded.network, "token_losses", token_losses)


# What a step says and does


def test_the_reported_loss_is_the_mean_over_the_answer_tokens_of_the_steps_rows(tiny: Tiny, tmp_path: Path) -> None:
    loaded = t5(tiny, dropout=False)
    teach(loaded, tmp_path, learning_rate=1e-30)
    order = Order(Pairs(PAIRS), seed=5, epochs=2, batch_rows=4, window_steps=2)
    for step, loss in enumerate(losses_of(tmp_path)):
        rows = [PAIRS[place % len(PAIRS)] for place in order.places(step)]
        assert loss == pytest.approx(mean_loss(loaded.network, rows, tokens=10_000, precision="fp32"), rel=1e-5)


def test_the_memory_budget_does_not_change_what_is_learnt(tiny: Tiny, tmp_path: Path) -> None:
    runs = {}
    for budget in (1, 48, 10_000):
        loaded = t5(tiny, dropout=False)
        teach(loaded, tmp_path / str(budget), token_budget=budget, learning_rate=1e-3)
        runs[budget] = losses_of(tmp_path / str(budget))
    assert runs[1] == pytest.approx(runs[10_000], rel=1e-4)
    assert runs[48] == pytest.approx(runs[10_000], rel=1e-4)


def test_training_learns_in_both_precisions_and_leaves_the_network_ready_to_be_asked(
    tiny: Tiny, tmp_path: Path
) -> None:
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for precision in precisions:
        loaded = t5(tiny)
        before = mean_loss(loaded.network, PAIRS, tokens=1000, precision="fp32")
        teach(loaded, tmp_path / precision, epochs=6, precision=precision)
        assert mean_loss(loaded.network, PAIRS, tokens=1000, precision="fp32") < 0.95 * before
        assert not loaded.network.module.training
        assert all(weight.dtype == torch.float32 for weight in loaded.network.module.parameters())


def test_dropout_is_on_in_training_and_off_in_validation(tiny: Tiny, tmp_path: Path) -> None:
    loaded, training, asked = t5(tiny), [], []

    def validate(step: int) -> float:
        asked.append(loaded.network.module.training)
        return 0.0

    teach(loaded, tmp_path, validate=validate, on_step=lambda *_: training.append(loaded.network.module.training))
    assert asked == [False] * 4
    assert training == [True] * STEPS


def test_the_random_state_of_the_process_is_left_as_it_was(tiny: Tiny, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    teach(t5(tiny), tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_weight_decay_pulls_on_matrices_only(tiny: Tiny, tmp_path: Path) -> None:
    weights = []
    for decay in (0.0, 0.5):
        loaded = t5(tiny)
        teach(loaded, tmp_path / str(decay), weight_decay=decay, epochs=0.1, warmup=0.0)
        weights.append(weights_of(loaded))
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]) == (weight.ndim == 1), name


def test_l2_sp_keeps_the_weights_nearer_to_the_base(tiny: Tiny, tmp_path: Path) -> None:
    base, moved = weights_of(t5(tiny)), list[float]()
    for strength in (0.0, 20.0):
        loaded = t5(tiny)
        teach(loaded, tmp_path / str(strength), l2_sp=strength, learning_rate=0.02)
        moved.append(sum(float((weight - base[name]).square().sum()) for name, weight in weights_of(loaded).items()))
    assert 0 < moved[1] < 0.5 * moved[0]


def test_a_tensor_can_learn_in_proportion_to_its_size(tiny: Tiny, tmp_path: Path) -> None:
    """AdamW's first step moves every weight that has a gradient by the learning rate."""
    loaded = t5(tiny)
    small = "decoder.block.0.layer.0.SelfAttention.q.weight"
    loaded.network.module.get_parameter(small).data.mul_(1e-3)
    before = weights_of(loaded)
    teach(loaded, tmp_path, scale_parameter=True, learning_rate=1e-3, epochs=0.1, warmup=0.0, schedule="constant")
    for name, weight in weights_of(loaded).items():
        size = float(before[name].square().mean().sqrt())
        moved = float((weight - before[name]).abs().max())
        assert moved == pytest.approx(1e-3 * max(0.03, size), rel=1e-2), name


def test_smoothed_labels_leave_the_model_less_sure(tiny: Tiny, tmp_path: Path) -> None:
    sure = []
    for smoothing in (0.0, 0.5):
        loaded = t5(tiny)
        teach(loaded, tmp_path / str(smoothing), label_smoothing=smoothing, epochs=10, learning_rate=0.02)
        sure.append(mean_loss(loaded.network, PAIRS, tokens=1000, precision="fp32"))
    assert sure[0] < sure[1]


def test_the_log_has_a_line_for_each_step(tiny: Tiny, tmp_path: Path) -> None:
    teach(t5(tiny), tmp_path, warmup=0.5, schedule="linear", learning_rate=0.01)
    lines = [json.loads(line) for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    assert [line["learning_rate"] for line in lines[:6]] == pytest.approx([0.01 * part / 6 for part in range(1, 7)])
    assert [line["step"] for line in lines if "validation" in line] == [3, 6, 9, 12]
    assert {line["rows"] for line in lines} == {4}
    assert all(line["gradient_norm"] > 0 and line["seconds"] > 0 for line in lines)


def test_the_longest_rows_are_tried_before_the_first_step(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a lack of memory shows at once, and nothing has been learnt or written."""
    loaded, longest = t5(tiny), max(len(pair.prompt) + len(pair.answer) for pair in PAIRS)
    honest, before = loaded.network.token_losses, weights_of(loaded)

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if any(len(pair.prompt) + len(pair.answer) == longest for pair in pairs):
            raise MemoryError
        return honest(pairs, smoothing=smoothing)

    monkeypatch.setattr(loaded.network, "token_losses", token_losses)
    with pytest.raises(SettingsError, match=f"a single row of {longest} tokens"):
        teach(loaded, tmp_path, on_step=lambda *_: pytest.fail("a step was taken"))
    assert same(weights_of(loaded), before)


# Gradients that are not finite


@pytest.mark.parametrize("factor", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_moves_nothing_and_is_counted(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    loaded, weights, moments = t5(tiny), {}, {}
    spoil(loaded, monkeypatch, steps=[5], factor=factor)

    def on_step(step: int, steps: int, loss: float) -> None:
        weights[step] = weights_of(loaded)
        if step > 1:
            place = tmp_path / "checkpoints" / f"step-{step - 1:06d}"
            moments[step - 1] = load_file(place / "optimizer.safetensors")

    told = teach(loaded, tmp_path, on_step=on_step, validations=STEPS, token_budget=ONE_BATCH)
    assert told.skipped == 1
    assert same(weights[5], weights[4])
    assert same(moments[5], moments[4])
    assert not same(weights[6], weights[5])
    losses = losses_of(tmp_path)
    assert [step for step, loss in enumerate(losses, 1) if not math.isfinite(loss)] == [5], "the log hides nothing"


def test_a_run_with_a_skipped_step_resumes_to_the_same_weights(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AdamW counts its own updates: after a resume that count must leave the skipped step out."""
    whole = t5(tiny)
    spoil(whole, monkeypatch, steps=[5], factor=math.nan)
    teach(whole, tmp_path / "whole", token_budget=ONE_BATCH)

    def stop(step: int, steps: int, loss: float) -> None:
        if step == 8:
            raise KeyboardInterrupt

    first = t5(tiny)
    spoil(first, monkeypatch, steps=[5], factor=math.nan)
    with pytest.raises(KeyboardInterrupt):
        teach(first, tmp_path / "cut", on_step=stop, token_budget=ONE_BATCH)
    second = t5(tiny)
    told = teach(second, tmp_path / "cut", token_budget=ONE_BATCH)
    assert told.skipped == 1
    # The last weights, not the best, which may be from before the interruption.
    last = [newest(tmp_path / name)["weights.safetensors"] for name in ("whole", "cut")]
    assert same(*last)


def test_five_in_a_row_end_the_run_and_four_do_not(tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = t5(tiny)
    spoil(loaded, monkeypatch, steps=[2, 3, 4, 5, 7, 8, 9, 10], factor=math.nan)
    assert teach(loaded, tmp_path / "four", token_budget=ONE_BATCH).skipped == 8
    loaded, told, weights = t5(tiny), list[str](), {}
    spoil(loaded, monkeypatch, steps=[4, 5, 6, 7, 8], factor=math.nan)
    with pytest.raises(AftersError, match=r"at step 8: the gradient was not finite 5 times in a row"):
        teach(
            loaded,
            tmp_path / "five",
            token_budget=ONE_BATCH,
            tell=told.append,
            on_step=lambda step, *_: weights.update({step: weights_of(loaded)}),
        )
    assert told == [f"step {step} is skipped: its loss or gradient is not finite" for step in (4, 5, 6, 7, 8)]
    assert [math.isfinite(loss) for loss in losses_of(tmp_path / "five")] == [True] * 3 + [False] * 5
    # Validation after step 6 found the same weights, and left a later checkpoint of them.
    assert same(newest(tmp_path / "five")["weights.safetensors"], weights[3])


def test_the_last_good_state_is_on_disk_when_bad_steps_end_a_run(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, weights = t5(tiny), dict[int, Any]()
    spoil(loaded, monkeypatch, steps=[5, 6, 7, 8, 9], factor=math.nan)
    with pytest.raises(AftersError, match="after step 4, is in the checkpoints"):
        teach(
            loaded,
            tmp_path,
            token_budget=ONE_BATCH,
            validations=1,
            on_step=lambda step, *_: weights.update({step: weights_of(loaded)}),
        )
    assert [place.name for place in checkpoint.saved(tmp_path / "checkpoints")] == ["step-000004"]
    assert same(newest(tmp_path)["weights.safetensors"], weights[4])
    assert teach(t5(tiny), tmp_path, token_budget=ONE_BATCH, validations=1).skipped == 0, "a sound run goes on from it"


def test_bad_steps_before_an_interruption_count_among_five_in_a_row(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(step: int, steps: int, loss: float) -> None:
        if step == 7:
            raise KeyboardInterrupt

    first = t5(tiny)
    spoil(first, monkeypatch, steps=[4, 5, 6], factor=math.nan)
    with pytest.raises(KeyboardInterrupt):
        teach(first, tmp_path, on_step=stop, token_budget=ONE_BATCH)
    second = t5(tiny)
    spoil(second, monkeypatch, steps=[1, 2], factor=math.nan)  # its first is step 7
    with pytest.raises(AftersError, match=r"at step 8: the gradient was not finite 5 times in a row"):
        teach(second, tmp_path, token_budget=ONE_BATCH)


# The best and the end


def judged(loaded: Loaded, values: dict[int, float], seen: dict[int, dict[str, Tensor]]) -> Callable[[int], float]:
    def validate(step: int) -> float:
        seen[step] = weights_of(loaded)
        return values[step]

    return validate


NAN = math.nan


@pytest.mark.parametrize(
    ("values", "higher", "best"),
    [
        ({3: 0.1, 6: 0.9, 9: 0.5, 12: 0.2}, True, 6),
        ({3: 0.1, 6: 0.9, 9: 0.05, 12: 0.2}, False, 9),
        ({3: 0.5, 6: 0.5, 9: 0.5, 12: 0.5}, True, 3),
        ({3: 0.1, 6: 0.2, 9: 0.3, 12: 0.4}, True, 12),
        ({3: NAN, 6: 0.2, 9: NAN, 12: 0.1}, True, 6),
        ({3: NAN, 6: 0.2, 9: 0.3, 12: NAN}, False, 6),
    ],
    ids=str,
)
def test_the_best_weights_are_left_at_the_end(
    tiny: Tiny, tmp_path: Path, values: dict[int, float], higher: bool, best: int
) -> None:
    loaded, seen = t5(tiny), dict[int, dict[str, Tensor]]()
    told = teach(loaded, tmp_path, validate=judged(loaded, values, seen), higher_is_better=higher)
    assert (told.steps, told.best_step) == (STEPS, best)
    assert same(weights_of(loaded), seen[best])
    assert list(told.validations) == [3, 6, 9, 12]


def test_when_nothing_could_be_judged_the_last_weights_stay(tiny: Tiny, tmp_path: Path) -> None:
    loaded, seen = t5(tiny), dict[int, dict[str, Tensor]]()
    told = teach(loaded, tmp_path, validate=judged(loaded, dict.fromkeys((3, 6, 9, 12), NAN), seen), patience=1)
    assert (told.steps, told.best_step) == (STEPS, STEPS)
    assert same(weights_of(loaded), seen[STEPS])


@pytest.mark.parametrize(("patience", "steps"), [(1, 9), (2, 12), (None, 12)])
def test_a_run_stops_after_so_many_validations_without_a_better_one(
    tiny: Tiny, tmp_path: Path, patience: int | None, steps: int
) -> None:
    loaded, seen = t5(tiny), dict[int, dict[str, Tensor]]()
    values = {3: 0.1, 6: 0.9, 9: 0.5, 12: 0.2}
    options: dict[str, Any] = {"validate": judged(loaded, values, seen), "higher_is_better": True}
    told = teach(loaded, tmp_path, patience=patience, **options)
    assert (told.steps, told.best_step) == (steps, 6)
    assert same(weights_of(loaded), seen[6])


@pytest.mark.parametrize(("validations", "due"), [(1, [12]), (2, [6, 12]), (5, [2, 5, 7, 10, 12]), (99, range(1, 13))])
def test_validations_are_spread_evenly_and_the_last_step_is_one(
    tiny: Tiny, tmp_path: Path, validations: int, due: Sequence[int]
) -> None:
    told = teach(t5(tiny), tmp_path, validations=validations, validate=float)
    assert list(told.validations) == list(due)
