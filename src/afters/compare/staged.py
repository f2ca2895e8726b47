"""The matrix of a sequence of trainings, from Results: its measures with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afters.compare.resampled import resampled, with_ends
from afters.compare.stages import MEASURES, Staged, stages
from afters.metrics.metric import Metric
from afters.records import Result


def staged(columns: Sequence[tuple[Sequence[Result], Metric, str]], *, taught: int, seed: int = 0) -> Staged:
    """Return the matrix and its measures.

    Args:
        columns: for each task its Results, the base's first and then each stage's; what observed them; and the score.
            More must be better. The stages' own tasks stand first, in their order.
        taught: how many stages there were.
        seed: of the resamples.
    """
    assert all(metric.direction == "higher" for _, metric, _ in columns)
    drawn = np.array([resampled(results, metric, score=score, seed=seed) for results, metric, score in columns])
    every = [stages(drawn[:, :, place].T.tolist()) for place in range(drawn.shape[2])]
    measures = {
        name: with_ends(np.array([getattr(one, name) for one in every], dtype=np.float64))
        for name in MEASURES
        if getattr(every[0], name) is not None
    }
    tasks = tuple(results[0].task for results, _, _ in columns)
    return Staged(tasks, tuple(score for _, _, score in columns), taught, every[0], measures)
