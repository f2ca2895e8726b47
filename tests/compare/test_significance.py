from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import sacrebleu
from sacrebleu.significance import PairedTest
from scipy import stats

from afters.compare import significance
from afters.compare.resample import Array, Statistic
from afters.compare.significance import (
    approximate_randomisation,
    benjamini_hochberg,
    holm,
    mcnemar,
    sign_flip,
)
from afters.metrics.bleu import Bleu
from afters.records import Case, Example, Prediction
from afters.seeds import stream

LEAST, MOST = stats.binom.ppf(0.001, 400, 0.05), stats.binom.ppf(0.999, 400, 0.05)
"""False findings that 400 studies of nothing may make, by chance, at a level of 5 %."""


def test_mcnemar_is_scipys_binomial_test() -> None:
    for better, worse in product(range(13), range(13)):
        if better + worse:
            expected = stats.binomtest(better, better + worse, 0.5).pvalue
            assert mcnemar(better, worse).p_value == pytest.approx(expected, rel=1e-9)
    assert mcnemar(0, 0).p_value == 1


@pytest.mark.parametrize(
    ("better", "worse", "p_value"),
    [(10, 2, 0.0386), (12, 3, 0.0352), (15, 5, 0.0414), (20, 8, 0.0357), (21, 9, 0.0428)],
)
def test_the_smallest_significant_splits(better: int, worse: int, p_value: float) -> None:
    assert mcnemar(better, worse).p_value == pytest.approx(p_value, abs=5e-5)
    assert mcnemar(better - 1, worse + 1).p_value > 0.05


def test_five_discordant_pairs_never_prove_anything() -> None:
    assert mcnemar(5, 0).p_value > 0.05 > mcnemar(6, 0).p_value


@pytest.mark.parametrize("clusters", [1, 2, 5, 9])
def test_all_flips_are_those_of_brute_force(clusters: int) -> None:
    differences = stream(4, "brute", clusters).normal(0.4, 1, size=clusters)
    sums = [abs(np.dot(signs, differences)) for signs in product([-1, 1], repeat=clusters)]
    expected = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert sign_flip(differences, seed=0).p_value == expected


def test_random_flips_agree_with_all_of_them() -> None:
    # scipy counts every flip of the 17 clusters; we draw 10,000.
    differences = stream(4, "random").normal(0.35, 1, size=17)
    exact = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=2**17).pvalue
    assert sign_flip(differences, seed=0).p_value == pytest.approx(exact, abs=4 * float(exact / 10_000) ** 0.5)


def test_clusters_that_do_not_differ_change_nothing() -> None:
    differences = stream(4, "zeros").normal(0.4, 1, size=9)
    padded = np.concatenate([np.zeros(300), differences, np.zeros(50)])
    assert sign_flip(padded, seed=0) == sign_flip(differences, seed=0)
    assert sign_flip(np.zeros(40), seed=0).p_value == 1


def test_flipping_right_and_wrong_is_mcnemar() -> None:
    for better, worse in ((6, 1), (9, 5), (3, 3)):
        differences = np.array([1.0] * better + [-1.0] * worse + [0.0] * 20)
        assert sign_flip(differences, seed=0).p_value == pytest.approx(mcnemar(better, worse).p_value)


def test_no_random_p_value_is_zero() -> None:
    assert sign_flip(np.ones(60), seed=0).p_value == 1 / 10_001


def translations(noise: float, *, name: str, references: list[str]) -> list[str]:
    """The references, with some words replaced: a translation system that is right but for noise."""
    draw = stream(5, name)
    vocabulary = " ".join(references).split()

    def kept_or_replaced(word: str) -> str:
        return str(draw.choice(vocabulary)) if draw.random() < noise else word

    return [" ".join(map(kept_or_replaced, reference.split())) for reference in references]


def statistics(answers: list[str], references: list[str]) -> Array:
    rows = []
    for number, (answer, reference) in enumerate(zip(answers, references, strict=True)):
        example = Example(str(number), "task", "rows.csv:1", "content", "plain", "prompt", (reference,))
        rows.append(Bleu().observe(Case(str(number), "", (example,), (Prediction(str(number), (answer,)),))))
    return np.array(rows, dtype=np.float64)


@pytest.mark.parametrize("noise", [0.36, 0.40, 0.45])
def test_approximate_randomisation_agrees_with_sacrebleu(noise: float) -> None:
    draw = stream(5, "references")
    vocabulary = [f"w{number}" for number in range(60)]
    references = [" ".join(draw.choice(vocabulary, size=int(draw.integers(5, 20)))) for _ in range(80)]
    before = translations(0.36, name="before", references=references)
    after = translations(noise, name="after", references=references)
    systems = [("before", before), ("after", after)]
    test = PairedTest(systems, {"BLEU": sacrebleu.BLEU()}, [references], test_type="ar", n_samples=10_000)
    expected = test()[1]["BLEU"][1].p_value
    ours = approximate_randomisation(
        statistics(before, references),
        statistics(after, references),
        lambda totals: Bleu().from_totals(totals)[:, 0],
        seed=0,
    )
    assert ours.p_value == pytest.approx(expected, abs=0.02)


def test_with_sacrebleus_own_flips_the_p_value_is_sacrebleus(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = stream(5, "flips")
    vocabulary = [f"w{number}" for number in range(60)]
    references = [" ".join(draw.choice(vocabulary, size=int(draw.integers(5, 20)))) for _ in range(80)]
    before, after = (translations(noise, name=f"flips {noise}", references=references) for noise in (0.36, 0.42))
    systems = [("before", before), ("after", after)]
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    test = PairedTest(systems, {"BLEU": sacrebleu.BLEU()}, [references], test_type="ar", n_samples=2000)
    expected = test()[1]["BLEU"][1].p_value

    def as_extreme(effect: Statistic, *, clusters: int, seed: int) -> float:
        drawn = np.random.default_rng(12345).integers(2, size=(2000, len(references)), dtype=bool)
        gain = last - first
        differing = gain.any(axis=1)  # we flip no sentence that both translate alike, and go by gain
        drawn = drawn[:, differing][:, np.lexsort(gain[differing].T)]
        assert drawn.shape[1] == clusters
        extreme = effect(drawn.astype(np.float64)) >= effect(np.zeros((1, clusters)))[0] * (1 - 1e-9)
        return float((extreme.sum() + 1) / 2001)

    monkeypatch.setattr(significance, "share_as_extreme", as_extreme)
    first, last = (statistics(answers, references) for answers in (before, after))
    ours = approximate_randomisation(first, last, lambda sums: Bleu().from_totals(sums)[:, 0], seed=0)
    assert ours.p_value == expected
    assert 0.01 < expected < 0.9


def test_exchanging_totals_of_a_mean_is_flipping_signs() -> None:
    draw = stream(4, "means")
    before, after = draw.random(11), draw.random(11)
    first, last = (np.column_stack([side, np.ones(11)]) for side in (before, after))
    exchanged = approximate_randomisation(first, last, lambda totals: totals[:, 0] / totals[:, 1], seed=0)
    assert exchanged.p_value == sign_flip(after - before, seed=0).p_value


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([0.02]) == [0.02]
    assert holm([]) == []


def test_benjamini_hochberg_by_hand() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.02, 0.04, 0.04, 0.02])
    assert benjamini_hochberg([]) == []


def rejected(name: str, *, clusters: int, size: int, times: int, naive: bool = False) -> int:
    """How often a difference is found where there is none, in Cases of which `size` share a cluster's luck."""
    draw = stream(6, name, clusters)
    found = 0
    for _ in range(times):
        shared = draw.normal(size=(clusters, 1)) + draw.normal(size=(clusters, size))
        differences = shared.ravel() if naive else shared.mean(axis=1)
        found += sign_flip(differences, seed=0).p_value < 0.05
    return found


def test_a_difference_that_is_not_there_is_found_in_one_of_twenty_studies() -> None:
    assert LEAST <= rejected("null", clusters=30, size=1, times=400) <= MOST


def test_clusters_are_needed_to_keep_that_promise() -> None:
    assert LEAST <= rejected("clustered", clusters=15, size=8, times=400) <= MOST
    assert rejected("clustered", clusters=15, size=8, times=60, naive=True) > 60 * 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "size"), [(30, 1), (100, 1), (40, 5)])
def test_two_thousand_studies_of_nothing(clusters: int, size: int) -> None:
    assert 0.04 <= rejected("long", clusters=clusters, size=size, times=2000) / 2000 <= 0.06
