from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from comparisons import Grade, case, corpus, graded, result, shuffled
from scipy import stats

from afters.compare.change import compare, interval, with_corrections
from afters.compare.finding import with_unseen
from afters.compare.resample import Array
from afters.errors import ComparisonRefused, SettingsError
from afters.metrics.bleu import Bleu
from afters.metrics.correlation import Pearson
from afters.metrics.match import ExactMatch
from afters.metrics.metric import Metric, reduce
from afters.records import Comparison, Direction, Kind, Result
from afters.seeds import stream


class CorpusGrade(Grade):
    kind: Kind = "corpus"


class Loss(Grade):
    direction: Direction = "lower"


def matched(label: str, right: Sequence[int]) -> Result:
    cases = [case(f"case-{number:04}") for number in range(len(right))]
    return result(label, ExactMatch(), cases, [(float(value), 1.0) for value in right])


def tuned(before: Result, after: Result, metric: Metric | None = None, *, smallest_effect: float = 0.0) -> Comparison:
    asked = metric or Grade()
    return compare(
        before, after, asked, score=asked.names[0], kind="tuning", primary=True, smallest_effect=smallest_effect
    )


def noisy(name: str, number: int, gain: float) -> tuple[list[float], list[float]]:
    draw = stream(8, name)
    before = draw.random(number)
    return before.tolist(), (before + gain + draw.normal(0, 0.1, size=number)).tolist()


def copied(label: str, made: Result, times: int) -> Result:
    """Every Case several times, in a cluster of its own."""
    pairs = list(zip(made.cases, made.rows["grade"], strict=True))
    cases = [replace(one, id=f"{one.id}/{copy}", cluster=one.id) for one, _ in pairs for copy in range(times)]
    return result(label, Grade(), cases, [row for _, row in pairs for _ in range(times)])


def test_before_and_difference_make_after() -> None:
    before, after = noisy("plain", 80, 0.05)
    found = tuned(graded("before", before), graded("after", after))
    assert found.before_value == pytest.approx(np.mean(before))
    assert found.after_value == pytest.approx(np.mean(after))
    assert found.before_value + found.difference == pytest.approx(found.after_value)
    assert found.low < found.difference < found.high
    assert (found.cases, found.clusters, found.unjudged) == (80, 80, 0)
    assert found.better + found.worse + found.same == 80
    assert found.verdict == "improved"


def test_few_clusters_are_tested_as_by_the_paired_t_interval() -> None:
    before, after = noisy("few", 12, 0.05)
    found = tuned(graded("before", before), graded("after", after))
    expected = stats.ttest_rel(after, before).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("number", [10, 14, 40, 120])
def test_the_order_of_rows_does_not_matter(number: int) -> None:
    before, after = noisy("order", number, 0.03)
    first, last = graded("before", before), graded("after", after)
    assert tuned(shuffled(first), shuffled(last)) == tuned(first, last)


@pytest.mark.parametrize("number", [10, 40, 120])
def test_copies_in_a_cluster_change_nothing(number: int) -> None:
    before, after = noisy("copies", number, 0.02)
    first, last = graded("before", before), graded("after", after)
    once, thrice = tuned(first, last), tuned(copied("before", first, 3), copied("after", last, 3))
    assert thrice.p_value == once.p_value
    assert (thrice.low, thrice.high) == pytest.approx((once.low, once.high))
    assert (thrice.cases, thrice.clusters) == (3 * number, number)


def test_copies_of_right_and_wrong_cases_change_nothing_either() -> None:
    cases = [case(f"{number}/{copy}", cluster=str(number)) for number in range(20) for copy in range(3)]
    sides = [[float(number in right) for number in range(20)] for right in ({1, 2}, {1, 3, 4, 5, 6, 7, 8, 9})]
    single = [matched(label, list(map(int, side))) for label, side in zip(("before", "after"), sides, strict=True)]
    tripled = [
        result(label, ExactMatch(), cases, [(value, 1.0) for value in side for _ in range(3)])
        for label, side in zip(("before", "after"), sides, strict=True)
    ]
    once, thrice = (tuned(first, last, ExactMatch()) for first, last in (single, tripled))
    assert once.test == thrice.test == "exact McNemar"
    assert (thrice.p_value, thrice.low, thrice.high) == (once.p_value, once.low, once.high)


def test_a_big_cluster_weighs_as_much_as_a_small_one() -> None:
    clusters = ["a", "a", "a", "b"]
    found = tuned(graded("before", [0, 0, 0, 0], clusters), graded("after", [1, 1, 1, 0], clusters))
    assert (found.before_value, found.after_value, found.difference) == (0, 0.5, 0.5)


def test_right_and_wrong_get_mcnemar_and_tango() -> None:
    before, after = [0] * 20 + [1] * 30 + [0] * 50, [1] * 20 + [0] * 5 + [1] * 25 + [0] * 50
    found = tuned(matched("before", before), matched("after", after), ExactMatch())
    assert found.p_value == pytest.approx(stats.binomtest(20, 25).pvalue)
    assert (found.better, found.worse, found.same) == (20, 5, 75)
    assert (found.test, found.interval, found.verdict) == ("exact McNemar", "Tango score", "improved")


def test_mixed_clusters_of_right_and_wrong_are_flipped_whole() -> None:
    clusters = [f"passage-{number // 4}" for number in range(40)]
    draw = stream(8, "mixed")
    cases = [case(f"{number:02}", cluster=name) for number, name in enumerate(clusters)]
    sides = (draw.integers(2, size=40).astype(float), draw.integers(2, size=40).astype(float))
    first, last = (result("x", ExactMatch(), cases, [(value, 1.0) for value in side.tolist()]) for side in sides)
    found = tuned(first, last, ExactMatch())
    assert found.test == "sign-flip permutation"
    assert (found.cases, found.clusters) == (40, 10)


def test_lower_can_be_better() -> None:
    before, after = noisy("loss", 60, -0.1)
    found = compare(
        graded("before", before), graded("after", after), Loss(), score="grade", kind="tuning", primary=True
    )
    assert found.difference < 0
    assert found.better > found.worse
    assert found.verdict == "improved"


def test_cases_that_one_side_could_not_judge_are_left_out_and_counted() -> None:
    found = tuned(graded("before", [None, 0.0, 0.1, 0.3]), graded("after", [1.0, 0.2, None, 0.4]))
    assert (found.cases, found.unjudged) == (2, 2)
    assert found.before_value == pytest.approx(0.15)


def test_too_little_to_compare_is_refused() -> None:
    with pytest.raises(ComparisonRefused, match="received: 1 of 2 Cases, in 1 clusters"):
        tuned(graded("before", [0.1, None]), graded("after", [0.2, 0.3]))


def test_an_unknown_score_names_the_nearest_one() -> None:
    made = graded("before", [0.1, 0.2])
    with pytest.raises(SettingsError, match="did you mean 'grade'"):
        compare(made, made, Grade(), score="grades", kind="tuning", primary=True)


def test_nothing_changed_is_told_as_such() -> None:
    made = graded("before", [0.1, 0.2, 0.9])
    found = tuned(made, replace(made, label="after"))
    assert (found.p_value, found.difference, found.same, found.cases_needed) == (1.0, 0.0, 3, None)
    assert found.verdict == "cannot_tell"


def test_gains_and_losses_that_cancel_ask_for_no_cases() -> None:
    before = [0.1 * number for number in range(30)]
    found = tuned(graded("before", before), graded("after", before[::-1]))
    assert found.difference == pytest.approx(0)
    assert found.cases_needed is None
    assert found.p_value > 0.99


def test_the_effect_asked_about_decides_how_many_cases_are_needed() -> None:
    before, after = noisy("needed", 100, 0.001)
    first, last = graded("before", before), graded("after", after)
    few, many = tuned(first, last, smallest_effect=0.05), tuned(first, last, smallest_effect=0.01)
    assert few.cases_needed is not None and many.cases_needed is not None
    # Of each, two are what a t-test costs over the normal approximation.
    assert many.cases_needed - 2 == pytest.approx(25 * (few.cases_needed - 2), rel=0.05)


def test_a_corpus_score_is_compared_over_all_cases() -> None:
    before, after = corpus("before", 0.4), corpus("after", 0.1)
    found = tuned(before, after, Bleu())
    for value, made in ((found.before_value, before), (found.after_value, after)):
        assert value == pytest.approx(reduce(Bleu(), made.rows["bleu"])["bleu"])
    assert found.test == "approximate randomisation"
    assert found.low < found.difference < found.high
    assert found.verdict == "improved"
    assert tuned(shuffled(before), shuffled(after), Bleu()) == found


def test_holm_corrects_the_primary_comparisons_alone() -> None:
    made = tuned(matched("before", [0] * 10), matched("after", [1] * 7 + [0] * 3), ExactMatch())
    side = replace(made, primary=False)
    assert made.verdict == "improved"
    corrected = with_corrections([made, side, made, made, made])
    assert [one.p_corrected for one in corrected] == pytest.approx(
        [4 * made.p_value, made.p_value] + [4 * made.p_value] * 3
    )
    assert [one.verdict for one in corrected] == ["cannot_tell", "improved"] + ["cannot_tell"] * 3
    assert "after Holm's correction" in corrected[0].sentence
    assert corrected[1] == side
    assert with_corrections([made, side]) == [made, side]


def test_what_explores_pays_benjamini_and_hochbergs_price_apart_from_what_was_declared() -> None:
    made = tuned(matched("before", [0] * 10), matched("after", [1] * 7 + [0] * 3), ExactMatch())
    lucky, unlucky = (replace(made, primary=False, p_value=p, p_corrected=p) for p in (0.03, 0.5))
    corrected = with_corrections([made, lucky, unlucky, replace(lucky, p_value=0.001)])
    assert corrected[0] == made
    expected = stats.false_discovery_control([0.03, 0.5, 0.001]).tolist()
    assert [one.p_corrected for one in corrected[1:]] == pytest.approx(expected)
    assert [one.p_value for one in corrected[1:]] == [0.03, 0.5, 0.001]
    assert {one.correction for one in corrected[1:]} == {"Benjamini-Hochberg"}
    assert "p = 0.045 after Benjamini-Hochberg's correction" in corrected[1].sentence


def test_equivalence_does_not_rest_on_the_test() -> None:
    before, after = noisy("equivalent", 200, 0.0)
    sides = graded("before", before), graded("after", after)
    made = compare(*sides, Grade(), score="grade", kind="tuning", primary=True, margin=0.05)
    assert made.verdict == "equivalent"
    first, _ = with_corrections([made, made])
    assert (first.verdict, first.sentence) == ("equivalent", made.sentence)


def test_a_few_rows_that_stayed_rule_nothing_out() -> None:
    """A loss of everything on one row in twenty is a loss of 0.05, and most sets of 20 rows hold none of these."""
    same = [0.7] * 20
    found = tuned(graded("before", same), graded("after", same), smallest_effect=0.05)
    assert (found.low, found.high, found.verdict) == (0.0, 0.0, "cannot_tell")
    assert "With one Case more that lost or gained all, 0.10" in found.sentence
    many = [0.7] * 200
    assert tuned(graded("before", many), graded("after", many), smallest_effect=0.05).verdict == "equivalent"


def test_the_unseen_case_is_one_among_the_others() -> None:
    gains = np.array([0.1, -0.2, 0.3, 0.0, 0.05])
    low, high = with_unseen(gains.mean(), gains.std(ddof=1), clusters=5, apart=0.9, confidence=0.95)
    ends = [stats.t.interval(0.95, 5, loc=both.mean(), scale=stats.sem(both)) for both in _with(gains, 0.9)]
    assert (low, high) == pytest.approx((ends[0][0], ends[1][1]))


def _with(gains: Array, apart: float) -> list[Array]:
    return [np.append(gains, -apart), np.append(gains, apart)]


def test_few_rows_that_lost_all_are_seldom_called_equivalent() -> None:
    """A true loss of just the effect that matters, by 5 % of the rows: 2.5 % of studies may miss it."""
    draw, wrongly = stream(8, "rare"), 0
    for _ in range(200):
        after = np.where(draw.random(30) < 0.05, 0.0, 1.0) * 0.99  # no right-or-wrong, which Tango would take
        found = tuned(graded("before", [0.99] * 30), graded("after", after.tolist()), smallest_effect=0.05)
        wrongly += found.verdict == "equivalent"
    assert wrongly == 0, "without the unseen row it is every fifth"


def test_a_corpus_score_of_two_rows_that_stayed_rules_nothing_out() -> None:
    made = graded("before", [0.5, 0.7])
    found = tuned(made, replace(made, label="after"), CorpusGrade(), smallest_effect=0.05)
    assert (found.low, found.high, found.verdict) == (0.0, 0.0, "cannot_tell")


def test_among_several_declared_ones_what_is_said_of_the_effect_pays_too() -> None:
    before, after = noisy("several", 400, 0.06)
    made = tuned(graded("before", before), graded("after", after), smallest_effect=0.05)
    assert made.verdict == "improved"
    first, *_ = with_corrections([made] * 10)
    assert first.verdict == "improved_effect_unproven" and first.p_corrected < 0.05
    assert "As one of several declared comparisons it may miss the 0.05" in first.sentence
    explored, *_ = with_corrections([replace(made, primary=False)] * 10)
    assert explored.verdict == "improved", "what explores pays by its p alone"


def test_among_several_declared_ones_equivalence_pays_too() -> None:
    before, after = noisy("level", 100, 0.0)
    sides = graded("before", before), graded("after", after)
    found = tuned(*sides)
    assert found.possible_low is not None and found.possible_high is not None
    made = tuned(*sides, smallest_effect=1.1 * max(-found.possible_low, found.possible_high))
    assert made.verdict == "equivalent"
    first, *_ = with_corrections([made] * 10)  # their ends lie 1.43 times as far out
    assert first.verdict == "cannot_tell"
    assert "As one of several declared comparisons it is not shown to be smaller than" in first.sentence


def test_scores_that_are_equal_on_paper_have_not_changed() -> None:
    """Both are 2 / 3, as F1 of a precision and a recall."""
    before, after = 2 * 1.0 * 0.5 / (1.0 + 0.5), 2 * 0.6 * 0.75 / (0.6 + 0.75)
    assert before != after
    found = tuned(graded("before", [before] * 40), graded("after", [after] * 40))
    assert (found.better, found.worse, found.same, found.p_value) == (0, 0, 40, 1.0)
    assert found.verdict == "cannot_tell"


def test_what_one_row_alone_does_not_score_has_no_flips() -> None:
    points = [(float(number % 7), float(number % 5)) for number in range(40)]
    rows = [(x, y, x * x, y * y, x * y, 1.0) for x, y in points]
    cases = [case(f"{number:02}") for number in range(40)]
    before, after = (result(side, Pearson(), cases, rows) for side in ("before", "after"))
    found = tuned(before, after, Pearson())
    assert (found.better, found.worse, found.same) == (0, 0, 0)


def test_two_points_have_no_correlation_to_compare() -> None:
    cases = [case("1"), case("2")]
    made = result("before", Pearson(), cases, [(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), (2.0, 3.0, 4.0, 9.0, 6.0, 1.0)])
    with pytest.raises(ComparisonRefused, match="from 3 on it can"):
        tuned(made, replace(made, label="after"), Pearson())


def test_a_score_that_needs_every_cluster_is_not_compared() -> None:
    """Without the cluster of two, one Case is left, which has no correlation."""
    cases = [case("1", cluster="a"), case("2", cluster="a"), case("3", cluster="b")]
    rows = [(x, y, x * x, y * y, x * y, 1.0) for x, y in ((1.0, 2.0), (2.0, 3.0), (3.0, 1.0))]
    made = result("before", Pearson(), cases, rows)
    with pytest.raises(ComparisonRefused, match="defined without any one of the clusters"):
        tuned(made, replace(made, label="after"), Pearson())


def test_an_effect_that_no_share_can_reach_asks_for_no_number_of_cases() -> None:
    found = tuned(matched("before", [0] * 20), matched("after", [1] * 20), ExactMatch(), smallest_effect=2)
    assert (found.cases_needed, found.verdict) == (None, "improved_effect_unproven")


def test_clusters_that_are_right_or_wrong_get_wilsons_interval_as_cases_do() -> None:
    cases = [case(f"{number}/{copy}", cluster=f"{number}") for number in range(3) for copy in range(2)]
    found = interval(result("before", ExactMatch(), cases, [(1.0, 1.0)] * 6), ExactMatch())
    assert found == interval(matched("before", [1] * 3), ExactMatch())
    assert found["exact_match"][0] < 0.5


def test_the_interval_of_one_result_holds_its_score() -> None:
    for number, clusters in ((20, None), (120, None), (60, [f"{place % 7}" for place in range(60)])):
        made = graded("before", noisy("single", number, 0)[0], clusters)
        low, high = interval(made, Grade())["grade"]
        assert low < reduce(Grade(), made.rows["grade"])["grade"] < high


def test_a_share_of_right_cases_gets_wilsons_interval() -> None:
    expected = stats.binomtest(7, 10).proportion_ci(0.95, method="wilson")
    found = interval(matched("before", [1] * 7 + [0] * 3), ExactMatch())
    assert found["exact_match"] == pytest.approx((expected.low, expected.high))


def test_a_corpus_score_gets_the_bootstraps_interval() -> None:
    made = corpus("before", 0.3)
    low, high = interval(made, Bleu())["bleu"]
    assert low < reduce(Bleu(), made.rows["bleu"])["bleu"] < high


def test_a_corpus_score_of_few_clusters_gets_students_interval_of_the_jackknife() -> None:
    made = graded("before", noisy("jackknife", 30, 0)[0])
    values = [row[0] for row in made.rows["grade"] if row is not None]
    # The pseudo-values of a mean are the Cases' own numbers.
    expected = stats.t.interval(0.95, 29, loc=np.mean(values), scale=stats.sem(values))
    assert interval(made, CorpusGrade())["grade"] == pytest.approx(expected)


def test_a_single_cluster_has_no_interval() -> None:
    assert interval(graded("before", [0.5, 0.7, None], ["a", "a", "b"]), Grade()) == {}
