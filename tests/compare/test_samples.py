"""Scores of many Cases at once, compared: labels, ranks and bins, whatever the order and the names of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from afters.compare import resample
from afters.compare.change import compare, interval
from afters.errors import ComparisonRefused
from afters.metrics.calibration import Calibration, CalibrationError
from afters.metrics.correlation import Matthews, Pearson, Spearman
from afters.metrics.labels import MacroF1
from afters.metrics.likelihood import BitsPerByte, Perplexity
from afters.metrics.metric import Metric, reduce
from afters.records import Case, Comparison, Example, Prediction, Result, Row
from afters.seeds import stream

Rows = Sequence[Row]
Make = Callable[[int], list[Row]]
"""From a number of Cases to their rows."""


def case(name: str, cluster: str) -> Case:
    example = Example(name, "task", "rows.csv:1", "content", "plain", "prompt", ("1",))
    return Case(name, cluster, (example,), (Prediction(name, ("1",), prompt_hash="h"),))


def result(label: str, metric: Metric, rows: Rows, *, names: Sequence[str] = (), times: int = 1) -> Result:
    """A Result of these rows, each `times` times in a cluster of its own."""
    known = names or [f"{number:05}" for number in range(len(rows))]
    cases = tuple(case(f"{name}/{copy}", name) for name in known for copy in range(times))
    identity = {"dataset": "d", "shots": "s", "decoding": "x", "tokenizer": "t"}
    return Result(label, "task", identity, cases, {metric.name: tuple(row for row in rows for _ in range(times))}, ())


def changed(metric: Metric, before: Result, after: Result) -> Comparison:
    return compare(before, after, metric, score=metric.names[0], kind="tuning", primary=True)


def compared(metric: Metric, before: Rows, after: Rows, *, names: Sequence[str] = (), times: int = 1) -> Comparison:
    sides = (("before", before), ("after", after))
    return changed(metric, *(result(label, metric, rows, names=names, times=times) for label, rows in sides))


def labels(name: str, number: int, right: float) -> list[Row]:
    """Of three labels the right one is made with this probability."""
    draw = stream(9, name, str(right))
    truth = stream(9, name).integers(3, size=number)
    made = np.where(draw.random(number) < right, truth, draw.integers(3, size=number))
    counts = np.zeros((number, 3, 3))
    counts[np.arange(number), made, 1] = counts[np.arange(number), truth, 2] = 1
    counts[np.arange(number), truth, 0] = made == truth
    return list(map(tuple, counts.reshape(number, -1).tolist()))


def numbers(name: str, number: int, noise: float) -> list[Row]:
    truth = stream(9, name).normal(size=number)
    made = truth + noise * stream(9, name, str(noise)).normal(size=number)
    return list(zip(made.round(1).tolist(), truth.round(1).tolist(), strict=True))


def with_products(rows: Sequence[Row]) -> list[Row]:
    return [(x, y, x * x, y * y, x * y, 1.0) for x, y in rows]


def confidences(name: str, number: int, excess: float) -> list[Row]:
    """Probabilities that are too high by this much."""
    draw = stream(9, name, str(excess))
    sure = draw.uniform(0.5, 0.8, size=number)
    right = draw.random(number) < sure
    return list(zip((sure + excess).tolist(), right.astype(float).tolist(), strict=True))


MADE: list[tuple[Metric, Make, Make]] = [
    (Matthews(), lambda number: labels("m", number, 0.4), lambda number: labels("m", number, 0.7)),
    (MacroF1(), lambda number: labels("f", number, 0.4), lambda number: labels("f", number, 0.7)),
    (
        Pearson(),
        lambda number: with_products(numbers("p", number, 1.5)),
        lambda number: with_products(numbers("p", number, 0.5)),
    ),
    (Spearman(), lambda number: numbers("s", number, 1.5), lambda number: numbers("s", number, 0.5)),
    (Calibration(), lambda number: confidences("c", number, 0.2), lambda number: confidences("c", number, 0.0)),
]
NAMES = [metric.name for metric, _, _ in MADE]


FEW = [14, 320]
"""Cases: all exchanges, and random ones."""


@pytest.mark.parametrize(("metric", "worse", "better"), MADE, ids=NAMES)
def test_what_got_better_is_found(metric: Metric, worse: Make, better: Make) -> None:
    found = compared(metric, worse(400), better(400))
    assert found.verdict == "improved"
    assert found.test == "approximate randomisation"
    assert found.low < found.difference < found.high
    if metric.name != "calibration":  # whose bins are those of both sides together
        assert found.after_value == pytest.approx(reduce(metric, better(400))[metric.names[0]])
    back = compared(metric, better(400), worse(400))
    assert back.verdict == "worse"
    assert back.difference == pytest.approx(-found.difference)


@pytest.mark.parametrize("number", FEW)
@pytest.mark.parametrize(("metric", "worse", "better"), MADE, ids=NAMES)
def test_neither_order_nor_names_of_rows_change_anything(
    metric: Metric, worse: Make, better: Make, number: int
) -> None:
    if metric.name == "calibration" and number < 300:
        return
    before, after = worse(number), better(number)
    order = stream(9, "order").permutation(number).tolist()
    names = [f"row {number - place}" for place in range(number)]
    shuffled = [[side[place] for place in order] for side in (before, after)]
    assert compared(metric, *shuffled, names=names) == compared(metric, before, after)


@pytest.mark.parametrize("number", FEW)
@pytest.mark.parametrize(("metric", "worse", "better"), MADE, ids=NAMES)
def test_every_row_three_times_changes_no_p_value(metric: Metric, worse: Make, better: Make, number: int) -> None:
    if metric.name == "calibration":  # It takes off what chance puts into a bin, and copies are no chance.
        return
    before, after = worse(number), better(number)
    once, thrice = (compared(metric, before, after, times=times) for times in (1, 3))
    assert thrice.p_value == once.p_value
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))


def test_exchanges_are_those_of_brute_force() -> None:
    before, after = numbers("brute", 8, 2.0), numbers("brute", 8, 0.7)

    def spearman(rows: Sequence[Row]) -> float:
        made, truth = np.array(rows).T
        return float(stats.spearmanr(made, truth).statistic)

    def gain(flips: Sequence[bool]) -> float:
        pairs = list(zip(before, after, flips, strict=True))
        first = [last if flip else first for first, last, flip in pairs]
        last = [first if flip else last for first, last, flip in pairs]
        return abs(spearman(last) - spearman(first))

    every = [gain(flips) for flips in product([False, True], repeat=8)]
    assert compared(Spearman(), before, after).p_value == np.mean([one >= every[0] - 1e-12 for one in every])


def test_the_interval_of_one_result_holds_its_score() -> None:
    for metric, _, better in MADE:
        made = result("after", metric, better(400))
        low, high = interval(made, metric)[metric.names[0]]
        assert low < reduce(metric, made.rows[metric.name])[metric.names[0]] < high


def test_the_spread_of_spearman_is_the_textbooks() -> None:
    # Bonett and Wright (2000): the standard error of atanh(r_s) is sqrt((1 + r_s^2 / 2) / (n - 3)).
    made = result("after", Spearman(), numbers("textbook", 500, 1.0))
    low, high = interval(made, Spearman())["spearman"]
    value = reduce(Spearman(), made.rows["spearman"])["spearman"]
    expected = 2 * 1.96 * np.sqrt((1 + value**2 / 2) / 497) * (1 - value**2)
    assert high - low == pytest.approx(expected, rel=0.12)


def test_calibration_is_refused_below_300_cases_and_has_no_interval() -> None:
    rows = confidences("few", 299, 0.0)
    with pytest.raises(ComparisonRefused, match="calibration cannot be judged on 299 Cases; from 300 on it can"):
        compared(Calibration(), rows, rows)
    assert interval(result("before", Calibration(), rows), Calibration()) == {}


def test_the_plain_calibration_error_is_never_compared() -> None:
    rows = confidences("plain", 400, 0.0)
    with pytest.raises(ComparisonRefused, match="compare `calibration`, which is debiased"):
        compared(CalibrationError(), rows, rows)
    assert interval(result("before", CalibrationError(), rows), CalibrationError()) == {}


def test_perplexity_is_not_compared_across_tokenizers_and_bits_per_byte_is() -> None:
    rows = [(float(number % 7), 3.0) for number in range(40)]
    for metric in (Perplexity(), BitsPerByte()):
        before, after = result("before", metric, rows), result("after", metric, rows)
        other = replace(after, identity={**after.identity, "tokenizer": "another"})
        assert changed(metric, before, after).p_value == 1
        if metric.name == "perplexity":
            with pytest.raises(ComparisonRefused, match="the tokenizer differs"):
                changed(metric, before, other)
        else:
            assert changed(metric, before, other).p_value == 1


def coverage(excess: float, *, studies: int) -> float:
    """How often the interval of after minus before holds what the squared calibration error really changed by."""
    held = 0
    for study in range(studies):
        before = confidences(f"covered {study}", 300, excess)
        after = confidences(f"covered {study}", 300, 0.0)
        found = compared(Calibration(), before, after)
        held += found.low <= -(excess**2) <= found.high
    return held / studies


@pytest.mark.slow
@pytest.mark.parametrize("excess", [0.1, 0.2])
def test_the_interval_of_calibration_holds_the_true_change(excess: float) -> None:
    assert coverage(excess, studies=200) >= 0.9


def found_where_nothing_is(metric: Metric, name: str, make: Callable[[str], Rows], *, studies: int) -> int:
    """How often before and after, alike but for chance, are told apart."""
    pairs = ((make(f"{name} {study} before"), make(f"{name} {study} after")) for study in range(studies))
    return sum(compared(metric, *pair).p_value < 0.05 for pair in pairs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "make"),
    [
        (Matthews(), lambda name: labels(name, 60, 0.5)),
        (Spearman(), lambda name: numbers(name, 60, 1.0)),
        (Calibration(), lambda name: confidences(name, 300, 0.1)),
    ],
    ids=["matthews", "spearman", "calibration"],
)
def test_a_difference_that_is_not_there_is_found_in_one_of_twenty_studies(
    metric: Metric, make: Callable[[str], Rows], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resample, "REPLICATES", 999)
    least, most = (float(stats.binom.ppf(share, 400, 0.05)) for share in (0.001, 0.999))
    assert least <= found_where_nothing_is(metric, "null", make, studies=400) <= most
