"""Before against after, Case by Case: the difference, its interval, its test, and the verdict.

Cases of one cluster (the questions of one passage, the wordings of one row) are no independent evidence. So a
score that is a mean is averaged within each cluster first; before, after and their difference are means over
clusters, and before + difference = after. Where clusters hold different numbers of Cases, they can differ a
little from the Result's own scores, which are means over Cases. A corpus score is computed from all Cases'
statistics on both sides; its clusters are resampled and exchanged whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.compare.alike import Kind, check
from afters.compare.finding import (
    WITHOUT_A_SCALE,
    Finding,
    of_corpus,
    of_means,
    of_proportions,
    of_samples,
    right_or_wrong,
)
from afters.compare.intervals import (
    Interval,
    centred,
    corpus_interval,
    further_out,
    percentile_interval,
    ratio_interval,
    wilson_interval,
)
from afters.compare.paired import Paired, numbered, pair, statistic
from afters.compare.resample import Array, Statistic, canonical, resamples, sum_by_cluster
from afters.compare.sentence import sentence
from afters.compare.significance import benjamini_hochberg, holm
from afters.compare.verdict import decided
from afters.metrics.metric import Metric, SampleMetric, objection, stacked
from afters.records import Comparison, Correction, Result
from afters.records import Kind as MetricKind


def compare(
    before: Result,
    after: Result,
    metric: Metric,
    *,
    score: str,
    kind: Kind,
    primary: bool,
    smallest_effect: float = 0.0,
    margin: float | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two Results by one score of a metric.

    Args:
        before: the Result to start from.
        after: the Result of the same Cases to compare with it.
        metric: what observed both; its rows stand in the Results.
        score: one of the metric's names, as `rouge1`.
        kind: what may differ: "tuning" only the weights; "prompting" also the shots; "baseline" everything but the
            Dataset.
        primary: whether this is the task's one declared comparison; see `with_corrections`.
        smallest_effect: the smallest difference that matters, declared beforehand.
        margin: the largest difference that does not matter; None for `smallest_effect`.
        seed: of the resamples.
        confidence: of the interval; the test is held to 1 - confidence.

    Raises:
        ComparisonRefused: the two do not answer the same question, or too few Cases could be judged in both.
        SettingsError: the metric has no such score.
    """
    not_checked = check(before, after, metric, kind=kind)
    of_score = statistic(metric, score=score)
    paired = pair(before, after, metric)
    found = _find(paired, metric, score=score, effect=smallest_effect, confidence=confidence, seed=seed)
    better, worse, same = paired.flips(of_score, direction=metric.direction)
    cases, clusters = len(paired.clusters), int(paired.clusters.max()) + 1
    comparison = concluded(
        found,
        Compared(cases, clusters, paired.unjudged, better, worse, same),
        task=before.task,
        metric=score,
        kind=kind,
        before=before.label,
        after=after.label,
        primary=primary,
        direction=metric.direction,
        confidence=confidence,
        smallest_effect=smallest_effect,
        not_checked=not_checked,
        before_empty=empty_answers(before),
        after_empty=empty_answers(after),
    )
    return decided(comparison, margin=margin)


class Compared(NamedTuple):
    """What a comparison rests on, in numbers of Cases."""

    cases: int
    clusters: int
    unjudged: int
    better: int
    worse: int
    same: int


def concluded(found: Finding, compared: Compared, **named: Any) -> Comparison:
    """Return the Comparison that these numbers make, still without its word; `named` are its other fields."""
    cases, clusters, unjudged, better, worse, same = compared
    return Comparison(
        cases=cases,
        clusters=clusters,
        unjudged=unjudged,
        before_value=found.before,
        after_value=found.after,
        difference=found.after - found.before,
        low=found.interval.low,
        high=found.interval.high,
        interval=found.interval.method,
        p_value=found.significance.p_value,
        p_corrected=found.significance.p_value,
        test=found.significance.test,
        better=better,
        worse=worse,
        same=same,
        detectable=found.detectable,
        cases_needed=None if found.needed is None else math.ceil(found.needed * cases / clusters),
        verdict="cannot_tell",
        sentence="",
        possible_low=found.possible[0],
        possible_high=found.possible[1],
        **named,
    )


def with_corrections(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons corrected for being several, and decided again.

    The primary ones, declared beforehand, pay Holm's price: the chance of any false finding among them stays below
    1 - confidence. What is said of the smallest effect, reached or out of reach, rests on the interval and not on p; so
    among m of them the interval's ends are taken to lie as much further out as those of a normal mean do at
    1 - (1 - confidence) / m (Bonferroni). The others explore, and pay Benjamini and Hochberg's price: so does the
    expected share of false ones among their findings; what they say of the smallest effect pays nothing.

    A correction only ever weakens a word: an improvement or a loss that does not outlive it becomes `equivalent` where
    the interval lies within the smallest effect, and `cannot_tell` otherwise.
    """
    made = list(comparisons)
    _correct(made, holm, "Holm", primary=True)
    _correct(made, benjamini_hochberg, "Benjamini-Hochberg", primary=False)
    return made


def interval(
    result: Result, metric: Metric, *, seed: int = 0, confidence: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Return the interval of each score of one Result, for `Score.low` and `Score.high`.

    Wilson's for shares of right Cases where every Case stands alone; Student's t below 50 clusters, for corpus scores
    of the jackknife, and the bootstrap from there on. A score that fewer than two clusters could be judged for has
    none, nor has one that objects to so many Cases.
    """
    rows = zip(result.cases, result.rows[metric.name], strict=True)
    judged = [(case, row) for case, row in rows if row is not None]
    clusters = numbered([case for case, _ in judged])
    if len(set(clusters.tolist())) < 2 or objection(metric, cases=len(judged)):
        return {}
    rows_in_order = stacked([row for _, row in judged])
    order, clusters = canonical(rows_in_order, clusters)
    observed = rows_in_order[order]
    if isinstance(metric, SampleMetric):
        return _whole_intervals(observed, clusters, metric, confidence=confidence, seed=seed)
    scores = {name: statistic(metric, score=name) for name in metric.names}
    return {
        name: _interval(observed, clusters, of_score, kind=metric.kind, confidence=confidence, seed=seed)[:2]
        for name, of_score in scores.items()
    }


def _find(paired: Paired, metric: Metric, *, score: str, effect: float, confidence: float, seed: int) -> Finding:
    if isinstance(metric, SampleMetric):
        whole = paired.whole(metric, score=score)
        return of_samples(paired, whole, smallest_effect=effect, confidence=confidence, seed=seed)
    of_score = statistic(metric, score=score)
    if metric.kind == "corpus":
        scaled = metric.name not in WITHOUT_A_SCALE
        return of_corpus(paired, of_score, smallest_effect=effect, confidence=confidence, seed=seed, scaled=scaled)
    # Clusters that are wholly right or wholly wrong are right or wrong themselves: tripling every row changes nothing.
    if metric.kind == "binary" and all(map(right_or_wrong, paired.means(of_score))):
        return of_proportions(paired, of_score, smallest_effect=effect, confidence=confidence)
    return of_means(paired, of_score, smallest_effect=effect, confidence=confidence, seed=seed)


def empty_answers(result: Result) -> int:
    """Return how many Cases have an answer without a word in it."""
    return sum(
        any(not answer.strip() for prediction in case.predictions for answer in prediction.answers[:1])
        for case in result.cases
    )


def _correct(
    made: list[Comparison],
    correct: Callable[[Sequence[float]], list[float]],
    name: Correction,
    *,
    primary: bool,
) -> None:
    """Correct one family in its places; a family of one has nothing to pay."""
    places = [place for place, comparison in enumerate(made) if comparison.primary is primary]
    if len(places) > 1:
        corrected = correct([made[place].p_value for place in places])
        for place, p_corrected in zip(places, corrected, strict=True):
            made[place] = _corrected(made[place], p_corrected, name, declared=len(places) if primary else 1)


def _corrected(comparison: Comparison, p_corrected: float, name: Correction, *, declared: int) -> Comparison:
    corrected = replace(comparison, p_corrected=p_corrected, correction=name)
    if comparison.verdict == "cannot_tell":
        return replace(corrected, sentence=sentence(corrected))
    if comparison.verdict == "equivalent" and not (comparison.smallest_effect and declared > 1):
        return corrected  # It does not rest on the test; and its margin, which its sentence tells, is not kept.
    return decided(corrected, wider=further_out(declared, confidence=comparison.confidence))


def _whole_intervals(
    rows: Array, clusters: NDArray[np.intp], metric: SampleMetric, *, confidence: float, seed: int
) -> dict[str, tuple[float, float]]:
    drawn = resamples(int(clusters.max()) + 1, seed=seed)
    scores = np.concatenate([metric.from_counts(rows, counts[:, clusters]) for counts in drawn])  # (10,000, names)
    observed = metric.from_counts(rows, np.ones((1, len(rows))))[0].tolist()
    return {
        name: percentile_interval(centred(column, at=value), confidence=confidence)[:2]
        for name, column, value in zip(metric.names, scores.T, observed, strict=True)
    }


def _interval(
    rows: Array, clusters: NDArray[np.intp], score: Statistic, *, kind: MetricKind, confidence: float, seed: int
) -> Interval:
    if kind == "corpus":
        return corpus_interval([sum_by_cluster(rows, clusters)], score, confidence=confidence, seed=seed)
    values = score(rows)
    totals = sum_by_cluster(np.column_stack([values, np.ones_like(values)]), clusters)
    whole = totals[:, 0] / totals[:, 1]
    # Clusters that are wholly right or wholly wrong are Cases themselves, where none weighs more than another.
    if kind == "binary" and right_or_wrong(whole) and np.ptp(totals[:, 1]) * np.ptp(whole) == 0:
        return wilson_interval(int(whole.sum()), cases=len(whole), confidence=confidence)
    return ratio_interval(totals, confidence=confidence, seed=seed)
