"""The plan of memory: what lives is counted to the byte; perf/memory.py holds it against what a process grows by."""

from __future__ import annotations

import pytest
import torch
from tiny_models import KINDS, Kind, Tiny
from tiny_training import PAIRS, plain

from afters.model.network import Pair
from afters.train.lessons import Pairs
from afters.train.memory import _Kept, head_bytes, plan


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_pass_keeps_is_known_from_a_few_short_ones(tiny: Tiny, kind: Kind) -> None:
    """Held against the same count on batches that it has not seen, longer and of more rows."""
    network = plain(tiny, kind)().network
    kept = _Kept(network, "fp32")
    for rows, prompt, answer in ((3, 40, 24), (6, 66, 30)):
        batch = [Pair((1,) * (prompt - (row > 0)), (1,) * (answer - (row > 0))) for row in range(rows)]
        assert kept.bytes_for(batch) == pytest.approx(kept._look(rows, prompt, answer), rel=0.03)


def test_planning_leaves_the_network_and_the_process_as_they_were(tiny: Tiny) -> None:
    loaded = plain(tiny, "t5")()
    state = torch.get_rng_state()
    plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32")
    assert torch.equal(torch.get_rng_state(), state)
    assert not loaded.network.module.training
    assert all(weight.grad is None for weight in loaded.network.module.parameters())


def test_the_plan_counts_weights_gradients_and_moments(tiny: Tiny) -> None:
    loaded = plain(tiny, "t5")()
    size = 4 * sum(weight.numel() for weight in loaded.network.module.parameters())
    made = plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32")
    assert (made.weights, made.gradients, made.optimizer, made.best) == (size, size, 2 * size, size)
    assert made.total == 5 * size + made.activations + made.head + made.held
    assert made.held > 0.2 * (made.activations + made.head)
    assert (
        plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32", optimizer="adafactor").optimizer
        < size / 4
    )
    pulled = plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32", l2_sp=True)
    assert (made.beginnings, pulled.beginnings) == (0, size)
    held = plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32", kl=True)
    assert (made.base, held.base) == (0, size) and held.head == 2 * made.head
    for name, weight in loaded.network.module.named_parameters():
        weight.requires_grad_(name.endswith("q.weight"))
    frozen = plan(loaded.network, Pairs(PAIRS), rows=4, tokens=48, precision="fp32")
    assert frozen.weights == size and frozen.gradients < size / 8


def test_fewer_tokens_at_once_take_less(tiny: Tiny) -> None:
    network = plain(tiny, "llama")().network
    sizes = [
        plan(network, Pairs(PAIRS), rows=24, tokens=tokens, precision="fp32").activations for tokens in (20, 80, 10_000)
    ]
    assert sizes[0] < sizes[1] < sizes[2]


def test_the_head_takes_no_more_than_a_few_rows_at_once_do() -> None:
    assert head_bytes(10, vocabulary=100) == 12 * 1000
    assert head_bytes(10**6, vocabulary=10**5) == 12 * 2**23
