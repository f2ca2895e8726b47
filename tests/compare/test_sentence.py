from __future__ import annotations

from dataclasses import replace

from comparisons import GOOD

from afters.compare.verdict import decided

UNSURE = replace(
    GOOD, after_value=0.32, difference=0.008, low=-0.01, high=0.026, p_value=0.38, p_corrected=0.38, cases_needed=3850
)


def test_an_improvement_in_plain_english() -> None:
    assert decided(GOOD).sentence == (
        "rouge1 of this checkpoint went from 0.312 to 0.547: improved by 0.235 [0.210, 0.260] on 200 Cases "
        "(p < 0.001, sign-flip permutation)."
    )


def test_where_less_is_better_a_gain_is_still_told_as_one() -> None:
    fallen = replace(
        GOOD,
        metric="loss",
        direction="lower",
        before_value=2.3,
        after_value=2.1,
        difference=-0.2,
        low=-0.25,
        high=-0.15,
    )
    assert "went from 2.30 to 2.10: improved by 0.20 [0.15, 0.25]" in decided(fallen).sentence
    risen = replace(fallen, before_value=2.1, after_value=2.3, difference=0.2, low=0.15, high=0.25)
    assert "worse by 0.20 [0.15, 0.25]" in decided(risen).sentence


def test_an_effect_that_was_declared_and_not_reached_is_named() -> None:
    assert "It may miss the 0.22 that was declared to matter." in decided(replace(GOOD, smallest_effect=0.22)).sentence
    assert "That is less than the 0.3 that" in decided(replace(GOOD, smallest_effect=0.3)).sentence


def test_equivalence_names_its_margin() -> None:
    assert decided(UNSURE, margin=0.03).sentence == (
        "rouge1 of this checkpoint went from 0.312 to 0.320: equivalent within 0.03, difference +0.008 "
        "[-0.010, +0.026] on 200 Cases (p = 0.380, sign-flip permutation)."
    )


def test_cannot_tell_says_what_could_have_been_seen_and_what_it_takes() -> None:
    assert decided(UNSURE).sentence == (
        "rouge1 of this checkpoint went from 0.312 to 0.320: cannot tell, difference +0.008 "
        "[-0.010, +0.026] on 200 Cases (p = 0.380, sign-flip permutation). "
        "So many Cases show a difference of 0.035 with 80 % power; 0.008 would take about 3,850."
    )


def test_too_few_discordant_pairs_are_named() -> None:
    few = replace(UNSURE, test="exact McNemar", better=4, worse=1)
    assert "Only 5 Cases changed between right and wrong; fewer than 6 never prove anything." in decided(few).sentence
    assert "never prove" not in decided(replace(few, better=5)).sentence
    assert "Only 1 Case changed between" in decided(replace(few, better=1, worse=0)).sentence
    assert "No Case changed between" in decided(replace(few, better=0, worse=0)).sentence
    assert "fewer than 8 never" in decided(replace(few, confidence=0.99)).sentence


def test_prompting_is_told_side_by_side() -> None:
    told = decided(replace(GOOD, kind="prompting", before="shots=2")).sentence
    assert told.startswith("rouge1 is 0.547 for after, 0.312 for shots=2: better by 0.235")


def test_clusters_and_corrections_are_told_where_they_matter() -> None:
    told = decided(
        replace(GOOD, cases=1500, clusters=500, p_value=0.012, p_corrected=0.036, correction="Holm")
    ).sentence
    assert (
        "on 1,500 Cases in 500 clusters (p = 0.012, sign-flip permutation; p = 0.036 after Holm's correction)" in told
    )


def test_small_differences_keep_a_digit() -> None:
    small = replace(GOOD, after_value=0.3124, difference=0.0004, low=0.0002, high=0.0006)
    assert "went from 0.3120 to 0.3124: improved by 0.0004 [0.0002, 0.0006]" in decided(small).sentence


def test_cannot_tell_always_says_what_it_would_take() -> None:
    enough = replace(UNSURE, cases_needed=150)
    assert "0.008 takes about 150, which there are." in decided(enough).sentence
    nothing = replace(UNSURE, after_value=0.312, difference=0.0, cases_needed=None)
    assert "without a difference, or an effect declared to matter, no number" in decided(nothing).sentence


def test_flips_of_few_clusters_never_prove_anything_and_it_is_said() -> None:
    few = replace(UNSURE, clusters=5)
    assert "Only 5 clusters; fewer than 6 never prove anything." in decided(few).sentence
    assert "Only 4 Cases changed; fewer" in decided(replace(UNSURE, better=3, worse=1)).sentence
    assert "never prove" not in decided(replace(few, test="t-test over seeds and Cases")).sentence
    corpus = replace(UNSURE, better=0, worse=0, test="approximate randomisation")
    assert "never prove" not in decided(corpus).sentence


def test_several_seeds_speak_of_the_recipe() -> None:
    told = decided(replace(GOOD, before_seeds=1, after_seeds=3)).sentence
    assert told.startswith("rouge1 of this recipe (1 seed before, 3 after) went from 0.312 to 0.547: improved by")
    unsure = replace(UNSURE, before_seeds=3, after_seeds=3, cases_needed=None)
    assert "0.008 would take more seeds, however many Cases." in decided(unsure).sentence
    beside = decided(replace(GOOD, kind="prompting", before="shots=2", before_seeds=2, after_seeds=5)).sentence
    assert "0.312 for shots=2 (2 seeds before, 5 after): better" in beside
