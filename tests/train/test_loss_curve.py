"""Losses recorded once: a change of the loop, the order, the loss or dropout's stream shows here."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import Kind, Tiny
from tiny_training import losses_of, teach

from afters.model.load import load

# Recorded with torch 2.13.0 (CPU, fp32) and transformers 5.23.0. Processors differ in the last digits.
RECORDED: dict[Kind, list[float]] = {
    "t5": [4.5307, 4.5751, 4.49, 4.6197, 4.5725, 4.674, 4.5175, 4.6305, 4.5296, 4.6737],
    "llama": [6.171, 6.1103, 6.3902, 6.5727, 6.1984, 6.5744, 6.3728, 5.7543, 6.2571, 6.181],
}


@pytest.mark.parametrize("kind", RECORDED)
def test_ten_steps_have_the_recorded_losses(tiny: Tiny, kind: Kind, tmp_path: Path) -> None:
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    teach(loaded, tmp_path, epochs=10 * 4 / 24, learning_rate=1e-3)
    assert losses_of(tmp_path) == pytest.approx(RECORDED[kind], rel=1e-3)
