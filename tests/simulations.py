"""How sure the verdicts are, by simulation: thousands of studies whose truth is known. `python tests/simulations.py`.

It writes the tables of docs/how-sure.md; the slow tests hold them to their bars. Every study is put through the
package's own functions, or through the same numbers at once: flips and resamples depend on the seed and on the number
of clusters alone, never on the data, so they are recorded once and multiplied with all studies. What is thinned is
said: corpus scores take the first 999 flips, whose p-value (k + 1) / 1,000 has the same law, and the first 2,000
resamples.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from afters.compare.finding import UNSEEN
from afters.compare.intervals import (
    FEW_CLUSTERS,
    Interval,
    corpus_interval,
    percentile_interval,
    tango_interval,
    wilson_interval,
)
from afters.compare.recipe import crossed
from afters.compare.resample import Array, Statistic, bootstrap, share_as_extreme
from afters.compare.significance import mcnemar
from afters.compare.sizes import clusters_needed, mcnemar_power, pairs_by_approximation, pairs_needed
from afters.metrics.bleu import Bleu
from afters.seeds import stream

DRAWS: Final = 10_000
PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "how-sure.md"
LEVEL: Final = 0.05


class Row(NamedTuple):
    """One line of a table: what was simulated, its figure in percent, and the bar."""

    what: str
    figure: float
    least: float
    most: float

    @property
    def holds(self) -> bool:
        # 440 of 10,000 are 4.4 %, and 100 * 0.044 is a little less.
        return self.least <= round(self.figure, 2) <= self.most


# What the tests and intervals draw, recorded.


@cache
def flips(clusters: int) -> Array:
    """The flips that a test of so many clusters makes, one a row."""
    made: list[Array] = []

    def record(rows: Array) -> Array:
        made.append(np.array(rows, dtype=np.float64))
        return np.ones(len(rows))

    share_as_extreme(record, clusters=clusters, seed=0)
    return np.concatenate(made[1:])  # the first is the one of no flip, to compare with


@cache
def counts(clusters: int) -> Array:
    """How often a bootstrap of so many clusters draws each, one replicate a row."""
    made: list[Array] = []

    def record(rows: Array) -> Array:
        made.append(np.array(rows, dtype=np.float64))
        return np.zeros(len(rows))

    bootstrap([np.eye(clusters)], record, seed=0)
    return np.concatenate(made)


def flip_p_values(differences: Array) -> Array:
    """`sign_flip` of many studies at once, differences of shape (studies, clusters), none of them 0."""
    every = flips(differences.shape[1])
    made = []
    # A test deals its flips to clusters in the order of their values.
    for some in np.array_split(np.sort(differences, axis=1), max(1, len(differences) // 500)):
        sums = some.sum(axis=1)
        extreme = np.abs(sums - 2 * (every @ some.T)) >= np.abs(sums) * (1 - 1e-9)
        made.append(_share(extreme.sum(axis=0), len(every)))
    return np.concatenate(made)


def _share(extreme: Array, replicates: int) -> Array:
    """All flips are k of 2^C; random ones k + 1 of N + 1."""
    exhaustive = replicates & (replicates - 1) == 0
    return np.asarray(extreme / replicates if exhaustive else (extreme + 1) / (replicates + 1))


def bootstrap_ends(values: Array) -> tuple[Array, Array]:
    """`mean_interval` of many studies at once, values of shape (studies, clusters)."""
    clusters = values.shape[1]
    if clusters < FEW_CLUSTERS:
        half = stats.t.ppf(1 - LEVEL / 2, clusters - 1) * values.std(axis=1, ddof=1) / clusters**0.5
        return values.mean(axis=1) - half, values.mean(axis=1) + half
    ends = [
        np.quantile(counts(clusters)[:, ::-1] @ some.T / clusters, [LEVEL / 2, 1 - LEVEL / 2], axis=0)
        # So does the bootstrap its counts, and the unit matrix that recorded them stood in it back to front.
        for some in np.array_split(np.sort(values, axis=1), max(1, len(values) // 250))
    ]
    low, high = np.concatenate(ends, axis=1)
    return low, high


# Studies of nothing: how often a difference is found that is not there.


def _alike(name: str, clusters: int, *, size: int = 1, studies: int = DRAWS) -> Array:
    """Differences of cluster means where before and after are drawn alike, shape (studies, clusters).

    Every Case has a hardness of its own that both sides share, and the Cases of a cluster share the luck of a side.
    """
    draw = stream(11, name, clusters, size)
    luck = draw.normal(size=(2, studies, clusters)) if size > 1 else np.zeros((2, studies, clusters))
    own = draw.beta(2, 5, size=(2, studies, clusters)) if size == 1 else draw.normal(size=(2, studies, clusters))
    sides = luck + own / size**0.5
    return np.asarray(sides[1] - sides[0])


def false_flips(clusters: int, *, size: int = 1) -> float:
    """Return how often the sign-flip test of cluster means finds something in nothing."""
    return float(np.mean(flip_p_values(_alike("flips", clusters, size=size)) < LEVEL))


def false_flips_of_right_and_wrong(clusters: int, *, size: int) -> float:
    """The same for Cases that are right or wrong, whose chance of being right their cluster shares."""
    draw = stream(11, "right", clusters, size)
    chance = draw.beta(1, 1, size=(2, DRAWS, clusters, 1))
    right = (draw.random((2, DRAWS, clusters, size)) < chance).mean(axis=3)
    return float(np.mean(flip_p_values(right[1] - right[0]) < LEVEL))


@cache
def _mcnemar_table(most: int) -> dict[int, Array]:
    """For each number of discordant pairs the p-value of each split."""
    return {total: np.array([mcnemar(up, total - up).p_value for up in range(total + 1)]) for total in range(most + 1)}


def found_by_mcnemar(pairs: int, *, better: float, worse: float) -> float:
    """Return how often McNemar's exact test finds something."""
    outcomes = stream(11, "mcnemar", pairs, str(better)).multinomial(pairs, [better, worse, 1 - better - worse], DRAWS)
    splits, how_often = np.unique(outcomes[:, :2], axis=0, return_counts=True)
    found = np.array([mcnemar(int(up), int(down)).p_value < LEVEL for up, down in splits])
    return float(found @ how_often / DRAWS)


# Corpus scores: sums over clusters that a function turns into one number.


def matthews(totals: Array) -> Array:
    """Matthews' correlation from summed true and false positives and negatives."""
    hit, false, miss, none = totals.T
    below = (hit + false) * (hit + miss) * (none + false) * (none + miss)
    return np.asarray((hit * none - false * miss) / np.sqrt(np.where(below > 0, below, 1.0)))


def bleu(totals: Array) -> Array:
    """BLEU from summed counts."""
    return Bleu().from_totals(totals)[:, 0]


def _labels(draw: np.random.Generator, truth: NDArray[np.bool_], *, right: Array | float) -> Array:
    """One side's table of (hit, false, miss, none) for each Case, shape (cases, 4)."""
    said = np.where(draw.random(len(truth)) < right, truth, ~truth)
    return np.column_stack([truth & said, ~truth & said, truth & ~said, ~truth & ~said]).astype(np.float64)


def _sentences(draw: np.random.Generator, words: Array, *, right: Array | float) -> Array:
    """One side's BLEU counts for each Case: runs of 1 to 4 words match where every word of them does."""
    made = np.maximum(4, words + draw.integers(-2, 3, size=len(words)))
    runs = made[:, None] - np.arange(4)
    shares = np.broadcast_to(right, len(words))[:, None] ** np.arange(1, 5)
    return np.column_stack([draw.binomial(runs.astype(int), shares), runs, made, words]).astype(np.float64)


Study = Callable[[np.random.Generator, int, int, float], tuple[Array, Array]]
"""Draws before and after as totals of clusters: of so many clusters of so many Cases, after so much more right."""


def study_of_labels(draw: np.random.Generator, clusters: int, size: int, gain: float) -> tuple[Array, Array]:
    """Two classifiers on the same rows; the rows of a cluster share each side's luck."""
    truth = draw.random(clusters * size) < 0.4
    sides = (_labels(draw, truth, right=_shared(draw, clusters, size, 0.75 + more)) for more in (0.0, gain))
    first, last = (side.reshape(clusters, size, 4).sum(axis=1) for side in sides)
    return first, last


def study_of_sentences(draw: np.random.Generator, clusters: int, size: int, gain: float) -> tuple[Array, Array]:
    """Two translation systems on the same sentences."""
    words = draw.integers(6, 25, size=clusters * size).astype(np.float64)
    sides = (_sentences(draw, words, right=_shared(draw, clusters, size, 0.7 + more)) for more in (0.0, gain))
    first, last = (side.reshape(clusters, size, 10).sum(axis=1) for side in sides)
    return first, last


def _shared(draw: np.random.Generator, clusters: int, size: int, middle: float) -> Array:
    """Return each Case's chance of being right; it is the cluster's."""
    return np.repeat(np.clip(middle + draw.normal(0, 0.1, size=clusters), 0.05, 0.98), size)


CORPUS: Final[dict[str, tuple[Study, Statistic]]] = {
    "Matthews": (study_of_labels, matthews),
    "BLEU": (study_of_sentences, bleu),
}


def false_randomisations(name: str, clusters: int, *, size: int = 1) -> float:
    """Return how often approximate randomisation finds something in nothing."""
    study, score = CORPUS[name]
    draw, every, found = stream(11, name, clusters, size), flips(clusters)[:999], 0
    for _ in range(DRAWS):
        before, after = study(draw, clusters, size, 0.0)
        gain, first, last = after - before, before.sum(axis=0), after.sum(axis=0)
        moved = every @ gain
        observed = abs(score(last[None])[0] - score(first[None])[0])
        extreme = np.abs(score(last - moved) - score(first + moved)) >= observed * (1 - 1e-9)
        found += (extreme.sum() + 1) / 1000 < LEVEL + 1e-12
    return found / DRAWS


# Intervals: how often they hold the truth.

NUMBERS: Final[dict[str, tuple[Callable[[np.random.Generator, tuple[int, int]], Array], float]]] = {
    "normal": (lambda draw, shape: draw.normal(0.1, 1, size=shape), 0.1),
    "differences of shares": (lambda draw, shape: draw.beta(3, 4, size=shape) - draw.beta(2, 5, size=shape), 1 / 7),
    "skewed (exponential)": (lambda draw, shape: draw.exponential(size=shape), 1.0),
    "four in five unchanged": (
        lambda draw, shape: np.where(draw.random(shape) < 0.8, 0.0, draw.normal(0.1, 1, size=shape)),
        0.02,
    ),
    "nine in ten unchanged, the rest gains": (
        lambda draw, shape: np.where(draw.random(shape) < 0.9, 0.0, draw.beta(1, 3, size=shape)),
        0.025,
    ),
}
"""Differences of clusters, and their true mean."""


def covered_means(kind: str, clusters: int) -> float:
    """Return how often the interval of a mean over clusters holds the truth."""
    make, truth = NUMBERS[kind]
    low, high = bootstrap_ends(make(stream(11, kind, clusters), (DRAWS, clusters)))
    return float(np.mean((low <= truth) & (truth <= high)))


def covered_pairs(cases: int, *, better: float, worse: float) -> float:
    """Return how often Tango's interval holds the true difference."""
    outcomes = stream(11, "tango", cases, str(better)).multinomial(cases, [better, worse, 1 - better - worse], DRAWS)
    return _held(
        outcomes[:, :2], lambda up, down: tango_interval(up, down, cases=cases, confidence=0.95), better - worse
    )


def covered_share(cases: int, *, right: float) -> float:
    """Return how often Wilson's interval holds the true share."""
    outcomes = stream(11, "wilson", cases, str(right)).binomial(cases, right, size=(DRAWS, 1))
    return _held(outcomes, lambda hits: wilson_interval(hits, cases=cases, confidence=0.95), right)


def _held(outcomes: NDArray[np.int64], interval: Callable[..., Interval], truth: float) -> float:
    different, how_often = np.unique(outcomes, axis=0, return_counts=True)
    ends = [interval(*map(int, outcome)) for outcome in different]
    held = np.array([one.low <= truth <= one.high for one in ends])
    return float(held @ how_often / DRAWS)


def covered_corpus(name: str, clusters: int, *, studies: int = DRAWS) -> float:
    """Return how often the interval of a difference of corpus scores holds the truth, that of endless Cases."""
    study, score = CORPUS[name]
    endless = study(stream(11, name, "truth"), 1_000_000, 1, 0.05)
    first, last = (float(score(side.sum(axis=0, keepdims=True))[0]) for side in endless)
    draw, every, held = stream(11, name, "coverage", clusters), counts(clusters)[:2000], 0
    for _ in range(studies):
        before, after = study(draw, clusters, 1, 0.05)
        ends = corpus_ends(before, after, score, every)
        held += ends.low <= last - first <= ends.high
    return held / studies


def corpus_ends(before: Array, after: Array, score: Statistic, every: Array) -> Interval:
    """`corpus_interval`, with these resamples where it would draw its own."""
    if len(before) < FEW_CLUSTERS:
        return corpus_interval([before, after], score, confidence=1 - LEVEL, seed=0)
    return percentile_interval(score(every @ after) - score(every @ before), confidence=1 - LEVEL)


# Recipes: seeds crossed with Cases.


def recipes(seeds: tuple[int, int], cases: int, *, of_seeds: tuple[float, float]) -> float:
    """Return how often the t-test over seeds and Cases finds something in nothing.

    Its interval lacks the truth as often. `of_seeds` is how much each side's seeds add to the variance, in units of
    what the Cases add.
    """
    draw, found = stream(11, "recipes", *seeds, cases, str(of_seeds)), 0
    unit = (0.25 + 0.5 / seeds[0] + 0.5 / seeds[1]) / cases
    spreads = [(share * unit * count) ** 0.5 for share, count in zip(of_seeds, seeds, strict=True)]
    for _ in range(DRAWS):
        hard, change = draw.normal(size=cases), draw.normal(0, 0.5, size=cases)
        first, last = (
            mean + draw.normal(0, spread, size=(count, 1)) + draw.normal(0, 0.5**0.5, size=(count, cases))
            for mean, spread, count in zip((hard, hard + change), spreads, seeds, strict=True)
        )
        chance = crossed(first, last)
        ratio = abs(float(last.mean() - first.mean())) / chance.variance**0.5
        found += ratio > float(stats.t.ppf(1 - LEVEL / 2, chance.freedom))
    return found / DRAWS


# Power: how often a difference that is there is found.


def power_of_flips(effect: float) -> tuple[int, float]:
    """Return how many clusters are planned for an effect, in standard deviations, and how often the test finds it."""
    clusters = clusters_needed(1.0, effect=effect, confidence=0.95)
    differences = stream(11, "power", str(effect)).normal(effect, 1, size=(DRAWS, clusters))
    return clusters, float(np.mean(flip_p_values(differences) < LEVEL))


# Forgetting: how often "kept" and "lost" are said wrongly of a task, and a loss that is there is found.

MARGIN: Final = 0.05

Scores = tuple[Array, Array]

GRADED: Final[dict[str, Callable[[np.random.Generator, tuple[int, int]], Scores]]] = {
    "all a little": lambda draw, shape: _lost(draw.beta(5, 2, size=shape), draw.normal(MARGIN, 0.15, size=shape)),
    "few lose some": lambda draw, shape: _lost_by_few(draw, shape, share=0.14, part=draw.beta(2, 2, size=shape)),
    "few lose all": lambda draw, shape: _lost_by_few(draw, shape, share=0.07, part=np.ones(shape)),
}
"""Graded scores before and after, of shape (studies, Cases), that truly lose the margin."""

UNCHANGED: Final[dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]]] = {
    "all vary": lambda draw, shape: draw.normal(0, 0.15, size=shape),
    "few vary": lambda draw, shape: np.where(draw.random(shape) < 0.8, 0.0, draw.normal(0, 0.3, size=shape)),
    "many gain, few lose": lambda draw, shape: -_few_gain(draw.random(shape)),
    "many lose, few gain": lambda draw, shape: _few_gain(draw.random(shape)),
}
"""Gains of graded scores, of shape (studies, Cases), whose true mean is 0."""


def _few_gain(luck: Array) -> Array:
    return np.asarray(np.select([luck < 0.5, luck < 0.6], [-0.05, 0.25], 0.0))


def _lost(before: Array, loss: Array) -> Scores:
    return before, before - loss


def _lost_by_few(draw: np.random.Generator, shape: tuple[int, int], *, share: float, part: Array) -> Scores:
    """Some Cases lose a part of their score, whose mean is 5/7."""
    before = draw.beta(5, 2, size=shape)
    return before, np.asarray(before - (draw.random(shape) < share) * part * before)


def kept_of(before: Array, after: Array) -> NDArray[np.bool_]:
    """Return in which studies of graded scores a loss of the margin is ruled out, as by `forgetting.keep`."""
    apart = np.maximum(before.max(axis=1), after.max(axis=1)) - np.minimum(after.min(axis=1), 0.0)
    gains = after - before
    unseen = np.column_stack([gains, *[-apart] * UNSEEN])
    return np.asarray(np.minimum(bootstrap_ends(gains)[0], bootstrap_ends(unseen)[0]) > -MARGIN)


def lost_of(gains: Array) -> NDArray[np.bool_]:
    """Return in which studies of graded gains a loss is proven."""
    return np.asarray((bootstrap_ends(gains)[1] < 0) & (flip_p_values(gains) < LEVEL))


def kept_of_pairs(cases: int, *, better: float, worse: float, studies: int = DRAWS) -> float:
    """Return how often a loss of the margin is ruled out for Cases that are right or wrong."""
    return _share_of_pairs(
        lambda up, down: tango_interval(up, down, cases=cases, confidence=1 - LEVEL).low > -MARGIN,
        _pairs(cases, better, worse, studies),
    )


def lost_of_pairs(cases: int, *, better: float, worse: float, studies: int = DRAWS) -> float:
    """Return how often a loss is proven for Cases that are right or wrong."""
    return _share_of_pairs(
        lambda up, down: (
            tango_interval(up, down, cases=cases, confidence=1 - LEVEL).high < 0 and mcnemar(up, down).p_value < LEVEL
        ),
        _pairs(cases, better, worse, studies),
    )


def _pairs(cases: int, better: float, worse: float, studies: int) -> NDArray[np.int64]:
    draw = stream(11, "kept", cases, str(better), str(worse))
    return draw.multinomial(cases, [better, worse, 1 - better - worse], studies)[:, :2]


def _share_of_pairs(said: Callable[[int, int], bool], outcomes: NDArray[np.int64]) -> float:
    different, how_often = np.unique(outcomes, axis=0, return_counts=True)
    return float(np.array([said(int(up), int(down)) for up, down in different]) @ how_often / len(outcomes))


# The tables.


def false_findings() -> Iterator[Row]:
    """How often each test finds something in nothing, at a level of 5 %."""
    for clusters in (10, 30, 100):
        yield Row(f"sign-flip, {clusters} Cases", 100 * false_flips(clusters), 4.4, 5.6)
    for clusters, size in ((15, 8), (40, 5)):
        figure = 100 * false_flips(clusters, size=size)
        yield Row(f"sign-flip, {clusters} clusters of {size} Cases", figure, 4.4, 5.6)
    for clusters, size in ((15, 8), (40, 5)):
        figure = 100 * false_flips_of_right_and_wrong(clusters, size=size)
        yield Row(f"sign-flip, right and wrong, {clusters} clusters of {size}", figure, 0, 5.6)
    for pairs, share in ((30, 0.3), (100, 0.2), (500, 0.1)):
        size_of_test = 100 * mcnemar_power(share / 2, share / 2, pairs=pairs)
        figure = 100 * found_by_mcnemar(pairs, better=share / 2, worse=share / 2)
        what = f"exact McNemar, {pairs} Cases, {100 * share:.0f} % discordant; enumerated {size_of_test:.2f}"
        yield Row(what, figure, size_of_test - 0.5, min(5.6, size_of_test + 0.5))
    for name in CORPUS:
        least = 4.4 if name == "BLEU" else 0
        for clusters, size in ((30, 1), (100, 1), (30, 4)):
            what = (
                f"approximate randomisation, {name}, {clusters} {f'clusters of {size} Cases' if size > 1 else 'Cases'}"
            )
            yield Row(what, 100 * false_randomisations(name, clusters, size=size), least, 5.6)


def coverage() -> Iterator[Row]:
    """How often a 95 % interval holds the truth."""
    for kind in NUMBERS:
        for clusters in (30, 100, 500):
            yield Row(f"mean of {clusters} Cases, {kind}", 100 * covered_means(kind, clusters), 93, 100)
    for better, worse in ((0.2, 0.1), (0.1, 0.05)):
        for cases in (30, 100, 500):
            figure = 100 * covered_pairs(cases, better=better, worse=worse)
            yield Row(f"Tango, {cases} Cases, {100 * (better + worse):.0f} % discordant", figure, 93, 100)
    for right in (0.5, 0.9):
        for cases in (30, 100, 500):
            yield Row(
                f"Wilson, {cases} Cases, {100 * right:.0f} % right", 100 * covered_share(cases, right=right), 93, 100
            )
    for name in CORPUS:
        for clusters, studies in ((30, DRAWS), (100, DRAWS), (500, 2000)):
            what = f"difference of {name}, {clusters} Cases" + ("" if studies == DRAWS else f" ({studies:,} studies)")
            yield Row(what, 100 * covered_corpus(name, clusters, studies=studies), 93, 100)


def over_seeds() -> Iterator[Row]:
    """How often the t-test over seeds and Cases finds something in nothing; 100 less it is its interval's coverage."""
    for seeds in ((3, 3), (5, 5), (1, 3), (1, 5)):
        alike = [(share, share) if seeds[0] > 1 else (0.0, share) for share in (0.0, 1.0, 3.0)]
        for cases in (30, 100, 500):
            for shares in alike if cases == 100 else alike[1:2]:
                what = f"{seeds[0]} to {seeds[1]} seeds, {cases} Cases, seeds add {shares[0]:g} and {shares[1]:g}"
                yield Row(what, 100 * recipes(seeds, cases, of_seeds=shares), 4.4, 5.6)
    for seeds in ((3, 3), (5, 5)):
        what = f"{seeds[0]} to {seeds[1]} seeds, 100 Cases, seeds add 0.3 and 30"
        yield Row(what, 100 * recipes(seeds, 100, of_seeds=(0.3, 30.0)), 4.4, 5.6)


def power() -> Iterator[Row]:
    """How often a difference is found that the planned number of Cases shows with 80 % power."""
    for effect in (0.5, 0.3, 0.15):
        clusters, figure = power_of_flips(effect)
        yield Row(f"sign-flip, {effect:g} standard deviations, {clusters} Cases", 100 * figure, 77, 83)
    for discordant, effect in ((0.05, 0.05), (0.1, 0.05), (0.2, 0.05), (0.2, 0.1), (0.3, 0.1), (0.4, 0.03)):
        pairs = pairs_needed(discordant, effect=effect, confidence=0.95)
        plan = pairs_by_approximation(discordant, effect=effect, confidence=0.95)
        better, worse = (discordant + effect) / 2, (discordant - effect) / 2
        figure = 100 * found_by_mcnemar(pairs, better=better, worse=worse)
        what = f"exact McNemar, {100 * effect:g} points, {100 * discordant:g} % discordant, {pairs:,} Cases"
        yield Row(f"{what} (normal approximation {plan:,.0f})", figure, 77, 83)


TABLES: Final[dict[str, Callable[[], Iterator[Row]]]] = {
    "False findings": false_findings,
    "Coverage": coverage,
    "Recipes": over_seeds,
    "Power": power,
}


def table(name: str) -> list[Row]:
    """Simulate one table, telling on standard error how long each line took."""
    rows = []
    began = time.monotonic()
    for row in TABLES[name]():
        print(f"{row.what}: {row.figure:.2f} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
        rows.append(row)
    return rows


def written(rows: list[Row]) -> str:
    """Return a table as Markdown."""
    lines = [
        f"| {row.what} | {row.figure:.2f} | {_bar(row)} | {'holds' if row.holds else '**missed**'} |" for row in rows
    ]
    return "\n".join(["| | % | bar | |", "|:--|--:|:--|:--|", *lines])


def _bar(row: Row) -> str:
    if row.most == 100:
        return f"at least {row.least:g}"
    return f"at most {row.most:.3g}" if row.least == 0 else f"{row.least:.3g} to {row.most:.3g}"


def write() -> None:
    """Write every table into its place in docs/how-sure.md."""
    page = PAGE.read_text(encoding="utf-8")
    for name in TABLES:
        start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        head, _, rest = page.partition(start)
        page = f"{head}{start}{written(table(name))}\n{end}{rest.partition(end)[2]}"
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write()
