from __future__ import annotations

import pytest
from on_disk import MakeRun, Write

from afters.errors import InputError
from afters.sides.compare import compare_sides

WRONG, HALF, RIGHT = ["no"] * 40, ["no"] * 20 + ["yes"] * 20, ["yes"] * 40


def test_one_run_is_compared_with_itself_before_and_after(make_run: MakeRun) -> None:
    told = compare_sides([make_run("chats", before=HALF, after=RIGHT)])
    found = told.headline
    assert (found.before, found.after, found.task, found.metric) == ("before", "after", "chats", "exact_match")
    assert (found.better, found.worse, found.verdict) == (20, 0, "improved")
    assert found.not_checked == ()
    assert {one.task for one in told.comparisons} == {"chats"}, "what was not taught is compared within the run"


def test_the_smallest_effect_and_the_scores_are_those_of_the_study(make_run: MakeRun) -> None:
    told = compare_sides([make_run("chats", effect=0.6, before=HALF, after=RIGHT)])
    assert (told.headline.smallest_effect, told.headline.verdict) == (0.6, "improved_effect_unproven")
    assert {one.metric for one in told.comparisons[1:]} == {"rouge1", "rouge2", "rougeL", "rougeLsum"}
    assert (
        compare_sides([make_run("again", before=HALF, after=RIGHT)], smallest_effect=0.3).headline.smallest_effect
        == 0.3
    )


def test_of_two_runs_the_tuned_models_are_compared(make_run: MakeRun) -> None:
    first, last = make_run("low", before=WRONG, after=HALF), make_run("high", before=WRONG, after=RIGHT)
    found = compare_sides([first], [last]).headline
    assert (found.before, found.after, found.before_value, found.after_value) == ("low", "high", 0.5, 1.0)
    turned = compare_sides([f"{first}:before"], [last]).headline
    assert (turned.before, turned.before_value) == ("low:before", 0.0)


def test_runs_that_declared_different_effects_must_be_told_which_counts(make_run: MakeRun) -> None:
    sides = make_run("low", effect=0.1, after=HALF), make_run("high", effect=0.2, after=RIGHT)
    with pytest.raises(InputError, match=r"(?s)different smallest effects of exact_match.*0.1 and 0.2"):
        compare_sides(sides[:1], sides[1:])
    assert compare_sides(sides[:1], sides[1:], smallest_effect=0.15).headline.smallest_effect == 0.15


def test_other_shots_make_it_prompting_and_not_tuning(make_run: MakeRun) -> None:
    run = make_run("chats", before=WRONG, shots_2=HALF, after=RIGHT)
    found = compare_sides([f"{run}:shots=2"], [run]).headline
    assert (found.kind, found.before_value, found.after_value) == ("prompting", 0.5, 1.0)
    assert found.sentence.startswith("exact_match is 1.000 for chats, 0.500 for chats:shots=2")


def test_several_runs_of_a_side_speak_of_the_recipe(make_run: MakeRun) -> None:
    seeds = [
        make_run(f"seed{seed}", before=WRONG, after=["yes"] * (30 + seed) + ["no"] * (10 - seed)) for seed in range(3)
    ]
    found = compare_sides([f"{seeds[0]}:before"], seeds).headline
    assert (found.before_seeds, found.after_seeds) == (1, 3)
    assert found.after_value == pytest.approx(31 / 40)
    assert "of this recipe (1 seed before, 3 after)" in found.sentence


def test_a_score_the_run_was_not_judged_by_is_made_of_its_answers(make_run: MakeRun) -> None:
    found = compare_sides([make_run("chats", before=HALF, after=RIGHT)], metrics=["bleu"]).headline
    assert (found.metric, found.test) == ("bleu", "approximate randomisation")


def test_what_is_no_finished_run_or_no_result_of_it_is_told(make_run: MakeRun, lines: Write) -> None:
    run = make_run("chats", before=HALF, after=RIGHT)
    for path, said in (
        (f"{run}:befor", "did you mean 'before'"),
        (f"{run}x", "Did you mean"),
        (str(lines("empty/note.jsonl", []).parent), "no finished run"),
    ):
        with pytest.raises(InputError, match=said):
            compare_sides([path], [run])
