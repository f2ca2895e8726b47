"""What was known before and not after, on what was never taught; reads numbers, never a model.

Whether a task is kept is asked by non-inferiority, with a margin declared beforehand (design/forgetting.md): a
difference that is not proven does not prove that there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from scipy import stats

from afters.compare.change import compare
from afters.compare.finding import UNSEEN, WITHOUT_A_SCALE, reach_of, right_or_wrong
from afters.compare.intervals import mean_interval, ratio_interval, wilson_interval
from afters.compare.kept import Divergence, Kept, Share, worded
from afters.compare.paired import numbered, pair, statistic
from afters.compare.resample import Array, canonical, sum_by_cluster
from afters.compare.sentence import gain_of
from afters.compare.significance import holm
from afters.compare.sizes import detectable
from afters.compare.verdict import decided
from afters.errors import SettingsError
from afters.metrics.choices import chosen
from afters.metrics.metric import Metric, SampleMetric
from afters.records import Case, Comparison, Example, Prediction, Result

MARGIN: Final = 0.05
"""What may be lost, of a score whose best is 1, unless a study declares another margin."""

OUT_OF_HUNDRED: Final = frozenset({"bleu", "chrf", "ter"})
"""Metrics whose scores are given from 0 to 100; for all others but `WITHOUT_A_SCALE` 1 is the best."""


def keep(
    before: Result,
    after: Result,
    metric: Metric,
    *,
    score: str,
    margin: float | None = None,
    chance: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> Kept:
    """Return what was kept of one task that was not taught.

    Args:
        before: the base's Result.
        after: the tuned model's, on the same Cases and the same prompts.
        metric: what observed both.
        score: one of the metric's names.
        margin: the loss that does not matter, in the score's own unit; None for 5 points.
        chance: what guessing gives; None for what the metric knows.
        seed: of the resamples.
        confidence: of the interval, whose losing end is held against the margin. At 95 % a loss as large as the
            margin is called kept in 2.5 % of studies, as is usual in non-inferiority trials.

    Raises:
        ComparisonRefused: the two do not answer the same question, or too few Cases could be judged in both.
        SettingsError: the metric has no such score, or the margin is none, or must be declared.
    """
    allowed = five_points(metric) if margin is None else margin
    if not 0 < allowed < math.inf:
        raise SettingsError("no margin to hold a loss against", expected="a number above 0", received=f"{allowed:g}")
    comparison = compare(
        before,
        after,
        metric,
        score=score,
        kind="tuning",
        primary=False,
        smallest_effect=allowed,
        seed=seed,
        confidence=confidence,
    )
    guessed = metric.chance if chance is None else chance
    means = _means(before, after, metric, score=score)
    largest, seen = _possible_and_seen(comparison, means, seed=seed)
    retention = None
    if means is not None and guessed is not None and metric.direction == "higher":
        retention = retained(*means, chance=guessed, confidence=confidence)
    return worded(
        Kept(
            comparison=comparison,
            margin=allowed,
            largest_loss=largest,
            detectable=seen,
            too_little=metric.direction == "higher" and comparison.before_value - (guessed or 0.0) <= allowed,
            binary=metric.kind == "binary",
            chance=guessed,
            retention=retention,
            agreement=agreement(before, after, seed=seed, confidence=confidence),
        )
    )


def five_points(metric: Metric) -> float:
    """Return 5 points in the unit of the metric's scores: 0.05 where 1 is the best, 5 where 100 is.

    Raises:
        SettingsError: the metric's scores have no worst value, so that a point means nothing.
    """
    if metric.name in WITHOUT_A_SCALE:
        raise SettingsError(
            f"no margin for {metric.name}",
            expected="the rise that does not matter, in its own unit, as 0.05 bits per byte",
            hint="Declare a margin: 5 points are a part of a scale, and this score has none.",
        )
    return MARGIN * best_value(metric)


def best_value(metric: Metric) -> float:
    """Return what the metric gives where nothing is wrong: 1 or 100."""
    return 100.0 if metric.name in OUT_OF_HUNDRED else 1.0


def together(kept: Sequence[Kept]) -> list[Kept]:
    """Return the tasks corrected for being several, and worded again.

    Losses pay Holm's price: the chance that any task is wrongly called lost stays below 1 - confidence. "Kept" pays
    none: that all are kept is said only where each is, and the more tasks, the harder that becomes by itself.
    """
    if len(kept) < 2:
        return list(kept)
    corrected = holm([one.comparison.p_value for one in kept])
    return [worded(replace(one, comparison=_paying(one, price))) for one, price in zip(kept, corrected, strict=True)]


def retained(before: Array, after: Array, *, chance: float, confidence: float = 0.95) -> Share | None:
    """Return (after - chance) / (before - chance) of the means of paired numbers, with Fieller's interval.

    The interval holds every ratio r for which a t-test does not refuse that after - chance is r times before - chance
    (Fieller, Journal of the Royal Statistical Society B 16, 1954). None where before is not proven better than chance:
    nothing was known that could be retained.
    """
    known, left, clusters = float(before.mean()) - chance, float(after.mean()) - chance, len(before)
    reach = float(stats.t.ppf((1 + confidence) / 2, clusters - 1)) ** 2 / clusters
    (of_before, of_both), (_, of_after) = (reach * np.cov(before, after)).tolist()
    square, middle, constant = known**2 - of_before, known * left - of_both, left**2 - of_after
    if known <= 0 or square <= 0:
        return None
    half = math.sqrt(max(0.0, middle**2 - square * constant))
    return Share(left / known, (middle - half) / square, (middle + half) / square, "Fieller")


def agreement(before: Result, after: Result, *, seed: int = 0, confidence: float = 0.95) -> Share | None:
    """Return the share of Cases that both answered alike, right or wrong; None where none was answered.

    Accuracy hides answers that changed from one error to another (Kalajdzievski, arXiv:2401.05605). Of choices the
    likeliest one is the answer; written answers are compared to the letter, but for white space around them.
    """
    second = {case.id: said(case) for case in after.cases}
    answered = [case for case in before.cases if said(case) and second.get(case.id)]
    if not answered:
        return None
    same = np.array([[float(said(case) == second[case.id]), 1.0] for case in answered])
    order, clusters = canonical(same, numbered(answered))
    totals = sum_by_cluster(same[order], clusters)
    share, whole = float(same[:, 0].mean()), totals[:, 0] / totals[:, 1]
    if len(totals) == 1 < len(same):
        return None
    if right_or_wrong(whole) and np.ptp(totals[:, 1]) * np.ptp(whole) == 0:
        found = wilson_interval(int(whole.sum()), cases=len(totals), confidence=confidence)
    else:
        found = ratio_interval(totals, confidence=confidence, seed=seed)
    return Share(share, found.low, found.high, found.method)


def divergence(before: Result, after: Result, *, seed: int = 0, confidence: float = 0.95) -> Divergence | None:
    """Return the forward KL divergence sum_y p(y) (log p(y) - log q(y)), of the base p and the tuned model q.

    Over choices it is exact, with their probabilities made to add up to 1. Where the only choice of a row is an answer
    that the base drew, the mean of log p - log q over the rows estimates it without bias; divided by the tokens of
    these answers, it is told for each token. None where fewer than two clusters tell.
    """
    pairs = {case.id: case for case in after.cases}
    weighed = [case for case in before.cases if _logs(case) and case.id in pairs and _logs(pairs[case.id])]
    rows = np.array([_surplus(_logs(case), _logs(pairs[case.id]), case) for case in weighed])
    clusters = numbered(weighed)
    if len(set(clusters.tolist())) < 2:
        return None
    order, clusters = canonical(rows, clusters)
    totals = sum_by_cluster(rows[order], clusters)
    found = ratio_interval(totals, confidence=confidence, seed=seed)
    value = float(totals[:, 0].sum() / totals[:, 1].sum())
    drawn = all(len(_logs(case)) == 1 for case in weighed)
    return Divergence(len(weighed), value, found.low, found.high, found.method, drawn)


def _logs(case: Case) -> list[float]:
    """Return the log-probabilities of a Case's choices; none where it has several Examples, or one is impossible."""
    logs = [choice.log_probability for choice in case.predictions[0].choices]
    return logs if len(case.predictions) == 1 and all(map(math.isfinite, logs)) else []


def _surplus(base: Sequence[float], tuned: Sequence[float], case: Case) -> tuple[float, float]:
    """Return one row's divergence, and by how much it counts."""
    if len(base) == 1:
        return base[0] - tuned[0], float(case.predictions[0].choices[0].tokens)
    first, second = (np.array(logs) - np.logaddexp.reduce(logs) for logs in (base, tuned))
    return float(np.exp(first) @ (first - second)), 1.0


def said(case: Case) -> tuple[str, ...]:
    """Return what was answered to each Example of a Case; nothing where one of them only asked how likely a text is."""
    pairs = list(zip(case.examples, case.predictions, strict=True))
    made = [_said(example, prediction) for example, prediction in pairs]
    answers = tuple(answer.strip() for answer in made if answer is not None)
    return answers if len(answers) == len(pairs) else ()


def _said(example: Example, prediction: Prediction) -> str | None:
    if len(example.choices) == 1:  # it was weighed, and nothing was said
        return None
    return chosen(example, prediction) if example.choices else next(iter(prediction.answers), None)


def _means(before: Result, after: Result, metric: Metric, *, score: str) -> tuple[Array, Array] | None:
    """Return each cluster's mean score before and after; None for a score that is no mean over Cases."""
    if metric.kind == "corpus" or isinstance(metric, SampleMetric):
        return None
    return pair(before, after, metric).means(statistic(metric, score=score))


def _possible_and_seen(comparison: Comparison, means: tuple[Array, Array] | None, *, seed: int) -> tuple[float, float]:
    """Return the largest loss that is not ruled out, and the smallest that so many Cases show."""
    possible, seen = -gain_of(comparison)[1], comparison.detectable
    if means is None and comparison.possible_low is not None and comparison.possible_high is not None:
        lost = -comparison.possible_low if comparison.direction == "higher" else comparison.possible_high
        return max(possible, lost), seen
    if means is None or comparison.test == "exact McNemar":
        return possible, seen
    gains, confidence = _with_unseen(*means, lower=comparison.direction == "lower"), comparison.confidence
    low = mean_interval(gains, confidence=confidence, seed=seed).low
    shown = detectable(float(gains.std(ddof=1)), clusters=len(gains), confidence=confidence)
    return max(possible, -low), max(seen, shown)


def _with_unseen(before: Array, after: Array, *, lower: bool) -> Array:
    """Return each cluster's gain, and that of imagined ones which lost as much as the scores lie apart."""
    gains = before - after if lower else after - before
    return np.append(gains, np.full(UNSEEN, -reach_of(before, after)))


def _paying(kept: Kept, p_corrected: float) -> Comparison:
    corrected = replace(kept.comparison, p_corrected=p_corrected, correction="Holm")
    return decided(corrected, margin=kept.margin)
