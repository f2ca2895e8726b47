"""Seeds crossed with Cases. The numbers to compare with are textbook formulas, scipy's, and simulated variances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from comparisons import Grade, corpus, graded, result, shuffled
from scipy import stats

from afters.compare.recipe import DOUBT, compare_recipes, crossed
from afters.compare.resample import Array
from afters.errors import ComparisonRefused
from afters.metrics.bleu import Bleu
from afters.metrics.correlation import Spearman
from afters.records import Comparison, Kind, Result
from afters.seeds import stream


class Corpus(Grade):
    """The same mean, but called a corpus score: its pseudo-values must be the Cases' own numbers."""

    kind: Kind = "corpus"


def runs(name: str, seeds: int, cases: int, *, gain: float = 0.0, of_seeds: float = 0.02) -> list[Result]:
    """Runs that differ by their seed, by their Cases, which all names share, and by what both make together."""
    own, hard = stream(9, name), stream(9, "cases", cases).normal(0.5, 0.15, size=cases)
    made = []
    for seed in range(seeds):
        values = hard + gain + own.normal(0, of_seeds) + own.normal(0, 0.1, size=cases)
        made.append(replace(graded(f"{name} {seed}", values.tolist())))
    return made


def recipes(before: Sequence[Result], after: Sequence[Result], *, smallest_effect: float = 0.0) -> Comparison:
    return compare_recipes(
        before, after, Grade(), score="grade", kind="tuning", primary=True, smallest_effect=smallest_effect
    )


def drawn(draw: np.random.Generator, seeds: int, hard: Array, *, of_seeds: float, rest: float) -> Array:
    return hard + draw.normal(0, of_seeds, size=(seeds, 1)) + draw.normal(0, rest, size=(seeds, len(hard)))


def test_without_a_rest_the_variance_is_welchs_plus_that_of_the_cases() -> None:
    draw = stream(9, "additive")
    cases, change = draw.normal(size=40), draw.normal(size=40)
    first, last = draw.normal(size=3), draw.normal(size=5)
    found = crossed(first[:, None] + cases, last[:, None] + cases + change)
    expected = first.var(ddof=1) / 3 + last.var(ddof=1) / 5 + change.var(ddof=1) / 40
    assert found.variance == pytest.approx(expected)
    assert found.of_seeds == pytest.approx(first.var(ddof=1) / 3 + last.var(ddof=1) / 5)


def test_where_only_seeds_differ_it_is_welchs_test() -> None:
    first, last = (stream(9, "welch", side).normal(size=5) for side in (0, 1))
    cases = stream(9, "welch").normal(size=30)
    found = crossed(first[:, None] + cases, last[:, None] + cases)
    expected = stats.ttest_ind(last, first, equal_var=False)
    # Both bounds are the same multiple of their variances, so that the degrees of freedom are Welch's own.
    assert found.freedom == pytest.approx(float(expected.df))
    assert float(last.mean() - first.mean()) / found.variance**0.5 == pytest.approx(float(expected.statistic))


def test_where_one_side_has_no_seeds_and_the_other_all_the_chance_the_freedom_is_the_seeds() -> None:
    cases = stream(9, "single").normal(size=30)
    seeds = 100 * stream(9, "seeds").normal(size=(4, 1))
    assert crossed(cases[None], seeds + cases).freedom == pytest.approx(3, rel=1e-3)


def test_the_freedom_of_a_mixture_is_satterthwaites_with_the_seeds_at_their_bound() -> None:
    draw = stream(9, "mixture")
    first, last = draw.normal(size=(1, 25)), draw.normal(size=(3, 1)) * 0.2 + draw.normal(size=25)
    of_seeds, of_cases = last.mean(axis=1).var(ddof=1) / 3, (last.mean(axis=0) - first[0]).var(ddof=1) / 25
    bound = of_seeds * 2 / stats.chi2.ppf(DOUBT, 2)
    expected = (bound + of_cases) ** 2 / (bound**2 / 2 + of_cases**2 / 24)
    assert crossed(first, last).freedom == pytest.approx(expected)


@pytest.mark.parametrize(("seeds", "of_seeds"), [((3, 3), 0.3), ((1, 4), 0.2), ((2, 5), 0.5)])
def test_the_variance_is_that_of_many_studies(seeds: tuple[int, int], of_seeds: float) -> None:
    draw = stream(9, "variance", *seeds)
    differences, variances = [], []
    for _ in range(2000):
        hard, change = draw.normal(size=20), draw.normal(0, 0.5, size=20)
        # A single run is this checkpoint: its own seed is part of what is compared, and no chance.
        single = 0.0 if seeds[0] == 1 else of_seeds
        first = drawn(draw, seeds[0], hard, of_seeds=single, rest=1.0)
        last = drawn(draw, seeds[1], hard + change, of_seeds=of_seeds, rest=1.0)
        differences.append(last.mean() - first.mean())
        variances.append(crossed(first, last).variance)
    assert np.mean(variances) == pytest.approx(np.var(differences), rel=0.1)


def test_runs_that_do_not_differ_leave_the_cases_alone() -> None:
    before, after = (stream(9, "same", side).normal(size=30) for side in (0, 1))
    found = crossed(np.array([before] * 3), np.array([after] * 3))
    assert found.variance == pytest.approx((after - before).var(ddof=1) / 30)
    assert found.of_seeds == 0
    assert found.freedom == pytest.approx(29)


def test_a_recipe_that_is_better_is_said_to_be_with_its_seeds() -> None:
    found = recipes(runs("before", 3, 120), runs("after", 5, 120, gain=0.2))
    assert (found.before_seeds, found.after_seeds, found.verdict) == (3, 5, "improved")
    assert found.before == "before 0, before 1, before 2"
    assert found.sentence.startswith("grade of this recipe (3 seeds before, 5 after) went from")
    assert "t-test over seeds and Cases" in found.sentence
    assert found.low < found.difference < found.high
    assert found.better + found.worse + found.same == found.cases == 120


def test_seeds_that_differ_make_a_recipe_less_sure_than_its_checkpoints() -> None:
    steady, shaky = (recipes(runs("b", 3, 80), runs("a", 3, 80, gain=0.1, of_seeds=of)) for of in (0.0, 0.3))
    assert shaky.high - shaky.low > 3 * (steady.high - steady.low)


def test_more_cases_do_not_help_where_the_seeds_differ_too_much() -> None:
    unsure = recipes(runs("b", 3, 80, of_seeds=0.4), runs("a", 3, 80, of_seeds=0.4), smallest_effect=0.05)
    assert (unsure.verdict, unsure.cases_needed) == ("cannot_tell", None)
    assert "would take more seeds, however many Cases" in unsure.sentence
    few = recipes(runs("b", 3, 12, of_seeds=0.0), runs("a", 3, 12, gain=0.02, of_seeds=0.0), smallest_effect=0.1)
    assert few.cases_needed is not None


def test_the_order_of_rows_and_of_seeds_does_not_matter() -> None:
    before, after = runs("b", 3, 60), runs("a", 4, 60, gain=0.05)
    once, again = recipes(before, after), recipes([shuffled(one) for one in before[::-1]], [*after[2:], *after[:2]])
    assert (again.p_value, again.low, again.high) == pytest.approx((once.p_value, once.low, once.high))


def test_the_pseudo_values_of_a_mean_are_its_cases() -> None:
    before, after = runs("b", 3, 25), runs("a", 3, 25, gain=0.05)
    made = compare_recipes(before, after, Corpus(), score="grade", kind="tuning", primary=True)
    plain = recipes(before, after)
    assert (made.p_value, made.low, made.detectable) == pytest.approx((plain.p_value, plain.low, plain.detectable))


def test_a_corpus_score_of_several_seeds_is_the_mean_of_theirs() -> None:
    before = [replace(corpus("before", 0.4), label="b")]
    after = [replace(corpus("after", noise), label=f"a{noise}") for noise in (0.1, 0.12, 0.15)]
    found = compare_recipes(before, after, Bleu(), score="bleu", kind="tuning", primary=True)
    values = [float(Bleu().from_totals(np.array(run.rows["bleu"]).sum(axis=0)[None])[0, 0]) for run in after]
    assert found.after_value == pytest.approx(np.mean(values))
    assert found.verdict == "improved"


def test_cases_that_one_run_could_not_judge_are_left_out_of_all() -> None:
    sides: list[list[float | None]] = [[0.1, 0.2, 0.5, 0.4], [0.2, None, 0.4, 0.6], [0.3, 0.4, 0.2, None]]
    found = recipes([graded("b", sides[0])], [graded("a", sides[1]), graded("a2", sides[2])])
    assert (found.cases, found.unjudged) == (2, 2)
    assert found.before_value == pytest.approx(0.3)


def test_a_run_that_answers_other_questions_is_refused_wherever_it_stands() -> None:
    before, after = runs("b", 3, 20), runs("a", 3, 20)
    other = replace(after[2], identity={**after[2].identity, "decoding": "another"})
    with pytest.raises(ComparisonRefused, match="the decoding differs"):
        recipes(before, [*after[:2], other])
    with pytest.raises(ComparisonRefused, match="the decoding differs"):
        recipes([*before[:2], other], after)
    with pytest.raises(ComparisonRefused, match="too little to compare"):
        recipes([graded("b", [0.1])], [graded("a", [0.1]), graded("a2", [0.2])])


def test_nothing_changed_is_no_finding() -> None:
    before, after = [0.1, 0.5, 0.9, 0.4], ([0.2, 0.5, 0.8, 0.4], [0.0, 0.5, 1.0, 0.4])
    found = recipes([graded("b", before)], [graded(f"a{place}", side) for place, side in enumerate(after)])
    assert found.difference == pytest.approx(0)
    assert found.p_value == pytest.approx(1)
    assert found.verdict == "cannot_tell"


def test_what_never_varies_proves_nothing_on_few_cases() -> None:
    """Two rows, wrong before and right in both runs after: McNemar's test on them has p = 0.5."""
    found = recipes([graded("b", [0.0] * 2)], weighed("a", [1.0] * 2))
    assert (found.p_value, found.verdict) == (0.5, "cannot_tell")
    assert found.low < 0
    many = recipes([graded("b", [0.0] * 40)], weighed("a", [1.0] * 40))
    assert many.verdict == "improved" and 0.8 < many.low < 1


def test_runs_that_are_right_on_few_cases_are_not_called_equivalent() -> None:
    few = recipes(weighed("b", [1.0] * 8), weighed("a", [1.0] * 8), smallest_effect=0.05)
    assert few.verdict == "cannot_tell"
    many = recipes(weighed("b", [1.0] * 200), weighed("a", [1.0] * 200), smallest_effect=0.05)
    assert many.verdict == "equivalent"


def weighed(name: str, values: Sequence[float]) -> list[Result]:
    """Two runs with the same scores and weights of their own."""
    made = [graded(f"{name}{seed}", values) for seed in range(2)]
    return [replace(one, identity={**one.identity, "weights": one.label}) for one in made]


def test_ranks_are_compared_over_seeds_by_what_each_case_says_of_them() -> None:
    """Spearman is Pearson of the ranks: with ranks as numbers both say the same, but for ranks within a jackknife."""
    draw, right = stream(9, "ranks"), np.arange(60.0)
    cases = graded("x", [0.0] * 60).cases

    def run(label: str, noise: float) -> Result:
        written = right + draw.normal(0, noise, size=60)
        return result(label, Spearman(), cases, [*zip(written.tolist(), right.tolist(), strict=True)])

    before, after = [run(f"b{seed}", 60) for seed in range(3)], [run(f"a{seed}", 10) for seed in range(3)]
    found = compare_recipes(before, after, Spearman(), score="spearman", kind="tuning", primary=True)
    expected = np.mean([stats.spearmanr(*np.array(one.rows["spearman"]).T).statistic for one in after])
    assert found.after_value == pytest.approx(expected)
    assert found.verdict == "improved" and (found.better, found.worse, found.same) == (0, 0, 0)


def test_one_checkpoint_is_not_taken_for_several_seeds() -> None:
    before, after = [graded("b", [0.1, 0.5, 0.9])], graded("a", [0.2, 0.5, 0.8])
    with pytest.raises(ComparisonRefused, match="(?s)copy is a once more.*the same answer to every Case"):
        recipes(before, [after, replace(after, label="copy")])
    weighed = [replace(after, label=name, identity={**after.identity, "weights": name}) for name in ("w", "v")]
    assert recipes(before, weighed).after_seeds == 2  # other weights may well answer alike
    again = replace(graded("again", [0.3, 0.4, 0.8]), identity=weighed[0].identity)
    with pytest.raises(ComparisonRefused, match="(?s)again is w once more.*the same weights"):
        recipes(before, [weighed[0], again])


def covered(seeds: tuple[int, int], cases: int, *, times: int, of_seeds: tuple[float, float]) -> float:
    """How often the interval holds the truth, 0, where seeds add so much variance, in units of the Cases'."""
    draw = stream(10, *seeds, cases)
    held = 0
    unit = (0.25 + 0.5 / seeds[0] + 0.5 / seeds[1]) / cases
    for _ in range(times):
        hard, change = draw.normal(size=cases), draw.normal(0, 0.5, size=cases)
        first, last = (
            drawn(draw, count, mean, of_seeds=(share * unit * count) ** 0.5, rest=0.5**0.5)
            for count, mean, share in zip(seeds, (hard, hard + change), of_seeds, strict=True)
        )
        found = crossed(first, last)
        held += abs(last.mean() - first.mean()) <= stats.t.ppf(0.975, found.freedom) * found.variance**0.5
    return held / times


def test_the_interval_covers_the_truth() -> None:
    assert 0.92 <= covered((3, 3), 30, times=500, of_seeds=(1, 1)) <= 0.99
