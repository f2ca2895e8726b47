"""A score is compared, before with after, in every wording that judging asked."""

from __future__ import annotations

import math
from collections.abc import Mapping

from afters.compare.alike import check
from afters.compare.change import compare
from afters.compare.wordings import InWording, Wordings
from afters.errors import ComparisonRefused
from afters.metrics.metric import Metric
from afters.records import Result


def in_wordings(
    before: Mapping[str, Result],
    after: Mapping[str, Result],
    metric: Metric,
    *,
    score: str,
    decides: str,
    prompts: Mapping[str, str],
    left_out: Mapping[str, str],
    seed: int = 0,
) -> Wordings:
    """Compare before with after in every wording.

    Args:
        before: Results on the same rows, by the wording that asked.
        after: the tuned model's, of the same wordings.
        metric: what observed them all.
        score: one of its names.
        decides: the wording that the verdict speaks of; one of them.
        prompts: of each wording, in the order in which they are told.
        left_out: why other wordings were not asked.
        seed: of the resamples.
    """
    asked = {wording: prompt for wording, prompt in prompts.items() if wording in before}
    each = tuple(
        _in_wording(before[wording], after[wording], metric, score=score, wording=wording, prompt=prompt, seed=seed)
        for wording, prompt in asked.items()
    )
    return Wordings(before[decides].task, score, metric.direction, decides, each, left_out)


def _in_wording(
    before: Result, after: Result, metric: Metric, *, score: str, wording: str, prompt: str, seed: int
) -> InWording:
    check(before, after, metric, kind="tuning")
    try:
        found = compare(before, after, metric, score=score, kind="tuning", primary=False, seed=seed)
    except ComparisonRefused:  # what is left to refuse: too few of its answers could be judged, which stops nobody
        nothing = (math.nan,) * 5
        return InWording(wording, prompt, *nothing, unjudged=len(before.cases))
    numbers = found.before_value, found.after_value, found.difference, found.low, found.high
    return InWording(wording, prompt, *numbers, unjudged=found.unjudged)
