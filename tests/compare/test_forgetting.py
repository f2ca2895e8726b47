from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import simulations
from comparisons import Grade, case, corpus, graded, result
from scipy import stats

from afters.compare.change import compare
from afters.compare.forgetting import agreement, divergence, five_points, keep, retained, together
from afters.compare.intervals import wilson_interval
from afters.compare.kept import Kept, Share
from afters.compare.resample import Array
from afters.compare.sizes import detectable, detectable_by_pairs
from afters.errors import ComparisonRefused, SettingsError
from afters.metrics.bleu import Bleu
from afters.metrics.likelihood import BitsPerByte
from afters.metrics.match import ExactMatch
from afters.metrics.metric import Metric
from afters.records import Case, ChoiceScore, Direction, Example, Prediction, Result
from afters.seeds import stream


class Loss(Grade):
    direction: Direction = "lower"


class Guessed(Grade):
    chance: float | None = 0.25


def matched(label: str, right: Sequence[int], *, twins: int = 1) -> Result:
    """Cases that are right or wrong, `twins` of them in each cluster."""
    cases = [case(f"case-{number:04}", cluster=f"{number // twins}") for number in range(len(right))]
    return result(label, ExactMatch(), cases, [(float(value), 1.0) for value in right])


def flipped(*, to_wrong: int, to_right: int, right: int, wrong: int) -> tuple[Result, Result]:
    before = [1] * to_wrong + [0] * to_right + [1] * right + [0] * wrong
    after = [0] * to_wrong + [1] * to_right + [1] * right + [0] * wrong
    return matched("before", before), matched("after", after)


def exact(sides: tuple[Result, Result], *, margin: float | None = None) -> Kept:
    return keep(*sides, ExactMatch(), score="exact_match", margin=margin, chance=0.0)


def grades(
    before: Sequence[float],
    after: Sequence[float],
    metric: Metric | None = None,
    *,
    margin: float | None = None,
    chance: float | None = None,
) -> Kept:
    sides = graded("before", before), graded("after", after)
    return keep(*sides, metric or Grade(), score="grade", margin=margin, chance=chance)


def noisy(name: str, number: int, loss: float) -> tuple[list[float], list[float]]:
    draw = stream(9, name)
    before = draw.beta(5, 2, size=number)
    return before.tolist(), (before - loss + draw.normal(0, 0.05, size=number)).tolist()


def test_right_and_wrong_answers_are_kept_lost_both_or_neither() -> None:
    assert exact(flipped(to_wrong=10, to_right=10, right=480, wrong=100)).word == "kept"
    assert exact(flipped(to_wrong=15, to_right=2, right=483, wrong=100)).word == "kept_with_a_loss"
    assert exact(flipped(to_wrong=40, to_right=10, right=450, wrong=100)).word == "lost"
    assert exact(flipped(to_wrong=12, to_right=8, right=60, wrong=20)).word == "cannot_tell"


def test_a_kept_task_carries_the_comparison_and_the_flips() -> None:
    sides = flipped(to_wrong=40, to_right=10, right=450, wrong=100)
    found = exact(sides)
    plain = compare(
        *sides, ExactMatch(), score="exact_match", kind="tuning", primary=False, smallest_effect=0.05, margin=0.05
    )
    assert found.comparison == plain
    assert (found.comparison.worse, found.comparison.better, found.binary) == (40, 10, True)
    assert found.largest_loss == pytest.approx(-plain.low)
    assert found.detectable == plain.detectable
    assert found.margin == 0.05


def test_the_margin_decides() -> None:
    sides = flipped(to_wrong=20, to_right=10, right=470, wrong=100)
    assert exact(sides).word == "kept"
    assert exact(sides, margin=0.02).word == "cannot_tell"
    assert 0.02 < exact(sides).largest_loss < 0.05


def test_graded_answers_are_kept_lost_both_or_neither() -> None:
    assert grades(*noisy("kept", 600, 0.0)).word == "kept"
    assert grades(*noisy("both", 600, 0.02)).word == "kept_with_a_loss"
    assert grades(*noisy("lost", 600, 0.1)).beyond_margin
    assert grades(*noisy("few", 12, 0.03), margin=0.03).word in ("lost", "cannot_tell")


def test_a_rise_is_a_loss_where_less_is_better() -> None:
    before, after = noisy("lost", 600, 0.1)
    assert grades(after, before, Loss()).beyond_margin
    assert grades(before, after, Loss()).word == "kept"


def test_few_graded_cases_that_did_not_change_do_not_prove_that_none_would() -> None:
    same = [0.5 + number / 200 for number in range(40)]
    few = grades(same, same)
    assert (few.comparison.low, few.comparison.high) == (0, 0)
    assert few.word == "cannot_tell"
    assert few.largest_loss > 0.05  # one of 41 that lost all of 0.695, by Student's t
    assert few.detectable > 0.03
    many = [0.5 + number / 1200 for number in range(600)]
    assert grades(many, many).word == "kept"


def test_as_few_right_and_wrong_ones_do_not_either() -> None:
    assert exact(flipped(to_wrong=0, to_right=0, right=50, wrong=10)).word == "cannot_tell"
    assert exact(flipped(to_wrong=0, to_right=0, right=500, wrong=100)).word == "kept"


def test_what_the_base_cannot_do_it_cannot_lose() -> None:
    hopeless = exact(flipped(to_wrong=0, to_right=0, right=10, wrong=590))
    assert (hopeless.word, hopeless.too_little) == ("cannot_tell", True)
    guessing = [0.2, 0.3] * 300
    assert grades(guessing, guessing, Guessed()).too_little
    assert not grades(guessing, guessing).too_little
    small = [0.02, 0.03] * 300
    assert grades(small, small).too_little
    assert not grades(small, small, Loss()).too_little  # small errors can grow


def test_five_points_are_a_twentieth_of_the_scale() -> None:
    assert five_points(ExactMatch()) == 0.05
    assert five_points(Bleu()) == 5
    assert keep(corpus("before", 0.3), corpus("after", 0.3), Bleu(), score="bleu").margin == 5


def test_a_score_without_a_scale_needs_a_declared_margin() -> None:
    with pytest.raises(SettingsError, match="Declare a margin"):
        five_points(BitsPerByte())


@pytest.mark.parametrize("margin", [0.0, -0.05, math.inf, math.nan])
def test_a_margin_that_allows_no_loss_or_any_is_refused(margin: float) -> None:
    with pytest.raises(SettingsError, match="margin"):
        exact(flipped(to_wrong=1, to_right=1, right=5, wrong=5), margin=margin)


def test_prose_that_hardly_changed_is_kept() -> None:
    """Bits per byte have no worst value that a passage not seen could have lost."""
    draw, metric = stream(5, "prose"), BitsPerByte()
    bits = draw.normal(1.95, 0.25, size=200)
    cases = graded("x", [0.0] * 200).cases

    def told(label: str, change: Array) -> Result:
        rows = [(float(one) * math.log(2) * 250, 250.0) for one in bits + change]
        return replace(result(label, metric, cases, rows), identity={**identity, "tokenizer": "t"})

    identity = graded("x", [0.0]).identity
    before = told("before", np.zeros(200))
    near, far = (told("after", draw.normal(mean, 0.03, size=200)) for mean in (0.018, 0.06))
    assert keep(before, near, metric, score="bits_per_byte", margin=0.05).word == "kept_with_a_loss"
    assert keep(before, before, metric, score="bits_per_byte", margin=0.05).word == "kept"
    assert keep(before, far, metric, score="bits_per_byte", margin=0.05).word == "lost"


def test_a_corpus_score_is_held_against_its_own_interval() -> None:
    found = keep(corpus("before", 0.1), corpus("after", 0.5), Bleu(), score="bleu")
    assert found.beyond_margin
    assert found.largest_loss == -(found.comparison.possible_low or 0.0)
    assert found.retention is None


def test_other_prompts_are_refused() -> None:
    before, after = flipped(to_wrong=1, to_right=1, right=5, wrong=5)
    with pytest.raises(ComparisonRefused):
        exact((before, replace(after, identity={**after.identity, "dataset": "another"})))


def test_retention_is_what_is_left_above_chance() -> None:
    before, after = noisy("retention", 80, 0.1)
    found = grades(before, after, Guessed()).retention
    assert found is not None
    assert found.value == pytest.approx((np.mean(after) - 0.25) / (np.mean(before) - 0.25))
    # Fieller's ends are where a t-test of after - chance = ratio * (before - chance) just refuses.
    for ratio in (found.low, found.high):
        left = (np.array(after) - 0.25) - ratio * (np.array(before) - 0.25)
        assert stats.ttest_1samp(left, 0).pvalue == pytest.approx(0.05)
    assert found.low < found.value < found.high


def test_retention_is_asked_only_where_something_was_known() -> None:
    draw = stream(9, "guesses")
    guesses, others = draw.random(100), draw.random(100)
    assert retained(guesses, others, chance=0.5) is None
    assert retained(guesses, others, chance=0.9) is None
    assert retained(guesses, guesses, chance=0.0) is not None
    assert grades(*noisy("unknown", 60, 0.0)).retention is None
    assert grades(*noisy("unknown", 60, 0.0), Loss(), chance=0.1).retention is None


def test_chance_that_is_given_comes_before_the_metrics_own() -> None:
    found = grades(*noisy("chance", 60, 0.0), Guessed(), chance=0.5)
    assert found.chance == 0.5
    assert grades(*noisy("chance", 60, 0.0), Guessed()).chance == 0.25


def written(label: str, answers: Sequence[str], *, clusters: Sequence[str] | None = None) -> Result:
    names = clusters or [""] * len(answers)
    cases = [
        case(f"{number}", cluster=cluster, answer=answer)
        for number, (cluster, answer) in enumerate(zip(names, answers, strict=True))
    ]
    return result(label, Grade(), cases, [(1.0, 1.0)] * len(cases))


def test_agreement_is_with_the_bases_answers_right_or_wrong() -> None:
    found = agreement(written("before", ["a", "b", "c", "d"]), written("after", ["a", " b ", "x", "y"]))
    assert found is not None
    assert (found.value, found.interval) == (0.5, "Wilson score")
    expected = stats.binomtest(2, 4).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_answers_of_one_cluster_are_no_independent_evidence_of_agreement() -> None:
    answers, clusters = ["a", "b", "c", "d", "e", "f"], ["1", "1", "2", "2", "3", "3"]
    before = written("before", answers, clusters=clusters)
    after = written("after", ["a", "b", "c", "d", "x", "y"], clusters=clusters)
    found = agreement(before, after)
    assert found is not None
    assert found == Share(4 / 6, *wilson_interval(2, cases=3, confidence=0.95))
    mixed = agreement(before, written("after", ["a", "b", "c", "x", "x", "y"], clusters=clusters))
    assert mixed is not None and mixed.interval == "Student's t, 3 clusters"
    assert agreement(written("one", ["a"], clusters=["1"]), written("one", ["a"])) is not None
    assert agreement(written("one", ["a", "b"], clusters=["1", "1"]), written("one", ["a", "b"])) is None


def weighing(label: str, weights: Sequence[tuple[float, ...]], choices: tuple[str, ...]) -> Result:
    cases = []
    for number, logs in enumerate(weights):
        name = str(number)
        example = Example(name, "chats", "rows.csv:1", "content", "plain", "prompt", ("yes",), choices=choices)
        prediction = Prediction(name, choices=tuple(ChoiceScore(log, 1) for log in logs))
        cases.append(Case(name, "", (example,), (prediction,)))
    return result(label, Grade(), cases, [(1.0, 1.0)] * len(cases))


def test_the_likeliest_choice_is_the_answer() -> None:
    before = weighing("before", [(-1, -2), (-1, -2), (-3, -2)], ("yes", "no"))
    after = weighing("after", [(-1, -5), (-4, -2), (-1, -2)], ("yes", "no"))
    found = agreement(before, after)
    assert found is not None
    assert found.value == pytest.approx(1 / 3)


def test_a_text_that_was_only_weighed_is_no_answer() -> None:
    weighed = weighing("before", [(-1,), (-2,)], ("a text",))
    assert agreement(weighed, weighed) is None
    spoken = replace(
        weighed,
        cases=tuple(
            replace(one, predictions=(replace(one.predictions[0], answers=("a text",)),)) for one in weighed.cases
        ),
    )
    assert agreement(spoken, spoken) is None


def test_losses_of_several_tasks_pay_holms_price() -> None:
    clear = exact(flipped(to_wrong=40, to_right=10, right=450, wrong=100))
    doubtful = exact(flipped(to_wrong=33, to_right=17, right=100, wrong=50))
    small = exact(flipped(to_wrong=15, to_right=5, right=480, wrong=100))
    assert [one.word for one in (clear, doubtful, small)] == ["lost", "lost", "kept_with_a_loss"]
    several = together([clear, doubtful, small, small])
    assert [one.word for one in several] == ["lost", "cannot_tell", "kept", "kept"]
    assert several[1].comparison.correction == "Holm"
    assert "after Holm's correction" in several[1].sentence
    assert together([doubtful]) == [doubtful]


@pytest.mark.parametrize("name", simulations.GRADED)
@pytest.mark.parametrize("cases", [30, 80])
def test_graded_studies_at_once_are_worded_as_each_is(name: str, cases: int) -> None:
    draw = stream(11, "as each", name, cases)
    before, after = simulations.GRADED[name](draw, (6, cases))
    after = after + 0.03 * np.arange(6)[:, None] / 2 + draw.normal(0, 0.001, size=after.shape)  # no two alike
    each = [grades(first, last) for first, last in zip(before.tolist(), after.tolist(), strict=True)]
    assert simulations.kept_of(before, after).tolist() == [one.largest_loss < 0.05 for one in each]
    assert simulations.lost_of(after - before).tolist() == [one.comparison.verdict == "worse" for one in each]


PAIRS = [(100, 0.0), (100, 0.1), (600, 0.02), (600, 0.2)]


@pytest.mark.parametrize(("cases", "better"), PAIRS)
def test_right_and_wrong_a_loss_of_the_margin_is_called_kept_in_one_of_forty_studies(cases: int, better: float) -> None:
    assert 0.005 < simulations.kept_of_pairs(cases, better=better, worse=better + 0.05) <= 0.03


@pytest.mark.parametrize(("cases", "better"), PAIRS[1:])
def test_right_and_wrong_no_change_is_called_lost_in_one_of_forty_studies(cases: int, better: float) -> None:
    assert 0.005 < simulations.lost_of_pairs(cases, better=better, worse=better) <= 0.03


@pytest.mark.parametrize("discordant", [0.05, 0.2, 0.4])
@pytest.mark.parametrize("cases", [100, 600])
def test_right_and_wrong_a_loss_of_twice_what_can_be_seen_is_found(cases: int, discordant: float) -> None:
    loss = 2 * detectable_by_pairs(discordant, pairs=cases, confidence=0.95)
    share = max(discordant, loss)
    assert simulations.lost_of_pairs(cases, better=(share - loss) / 2, worse=(share + loss) / 2) >= 0.95


def wrongly_kept(name: str, cases: int, studies: int) -> float:
    sides = simulations.GRADED[name](stream(11, "kept", name, cases), (studies, cases))
    return float(simulations.kept_of(*sides).mean())


def wrongly_lost(name: str, cases: int, studies: int, *, times: float = 0.0) -> float:
    """How often no change is called a loss, or `times` the smallest that can be seen."""
    gains = simulations.UNCHANGED[name](stream(11, "lost", name, cases), (studies, cases))
    loss = times * detectable(float(gains.std()), clusters=cases, confidence=0.95)
    return float(simulations.lost_of(gains - loss).mean())


@pytest.mark.parametrize("name", simulations.GRADED)
def test_graded_a_loss_of_the_margin_is_seldom_called_kept(name: str) -> None:
    assert wrongly_kept(name, 100, 600) <= 0.05


@pytest.mark.parametrize("name", simulations.UNCHANGED)
def test_graded_a_loss_is_seldom_found_in_nothing_and_nearly_always_at_twice_what_can_be_seen(name: str) -> None:
    assert 0 < wrongly_lost(name, 300, 600) <= 0.05
    assert wrongly_lost(name, 300, 300, times=2) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("cases", [30, 60, 100, 300, 600])
@pytest.mark.parametrize("name", simulations.GRADED)
def test_of_four_thousand_losses_of_the_margin_few_are_called_kept(name: str, cases: int) -> None:
    assert wrongly_kept(name, cases, 4000) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize("cases", [200, 600])
@pytest.mark.parametrize("name", simulations.UNCHANGED)
def test_of_four_thousand_studies_of_nothing_few_find_a_loss(name: str, cases: int) -> None:
    assert wrongly_lost(name, cases, 4000) <= 0.05
    assert wrongly_lost(name, cases, 1000, times=2) >= 0.95


def test_over_choices_the_divergence_is_that_of_their_probabilities() -> None:
    halves, skewed = (math.log(0.5), math.log(0.5)), (math.log(0.9), math.log(0.1))
    before = weighing("before", [halves, skewed], ("a", "b"))
    after = weighing("after", [skewed, skewed], ("a", "b"))
    found = divergence(before, after)
    assert found is not None and not found.drawn
    assert found.value == pytest.approx(stats.entropy([0.5, 0.5], [0.9, 0.1]) / 2, abs=1e-12)
    # Log-probabilities that do not add up to 1 are made to.
    lower = tuple(log - 7.0 for log in skewed)
    same = divergence(before, weighing("after", [lower, lower], ("a", "b")))
    assert same is not None and same.value == pytest.approx(found.value, abs=1e-12)


def test_of_drawn_answers_it_is_what_they_lost_in_probability_for_each_token() -> None:
    before = weighing("before", [(-1.0,), (-2.0,), (-4.0,)], ("a",))
    after = weighing("after", [(-2.5,), (-2.0,), (-5.0,)], ("a",))
    found = divergence(before, after)
    assert found is not None and found.drawn and found.cases == 3
    assert found.value == pytest.approx((1.5 + 0.0 + 1.0) / 3)


def test_one_row_or_an_impossible_answer_tells_no_divergence() -> None:
    one = weighing("before", [(-1.0,)], ("a",))
    assert divergence(one, one) is None
    before = weighing("before", [(-1.0,), (-1.0,), (-math.inf,)], ("a",))
    found = divergence(before, before)
    assert found is not None and found.cases == 2
