"""Losses recorded once: a change of the loop, the order, the loss or dropout's stream shows here."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import Kind, Tiny
from tiny_training import losses_of, teach

from afters.model.load import load

# Recorded with torch 2.13.0 (CPU, fp32) and transformers 5.23.0. Processors differ in the last digits.
RECORDED: dict[Kind, list[float]] = {
    "t5": [4.5450, 4.5160, 4.4310, 4.6429, 4.5401, 4.6225, 4.6049, 4.8138, 4.6090, 4.6312],
    "llama": [5.8245, 6.1665, 6.6237, 6.7568, 6.1955, 6.4643, 6.5045, 5.6387, 6.1125, 6.5586],
}


@pytest.mark.parametrize("kind", RECORDED)
def test_ten_steps_have_the_recorded_losses(tiny: Tiny, kind: Kind, tmp_path: Path) -> None:
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    teach(loaded, tmp_path, epochs=10 * 4 / 24, learning_rate=1e-3)
    assert losses_of(tmp_path) == pytest.approx(RECORDED[kind], rel=1e-3)
