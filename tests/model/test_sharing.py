"""Prompts that begin alike are found, whatever their order, and few of them are left among the others."""

from __future__ import annotations

from afters.model.sharing import ENOUGH, WORTH, families, shared_beginning

FIRST, SECOND = [1] * WORTH, [2] * (WORTH + 8)


def test_the_shared_beginning_leaves_each_prompt_a_token() -> None:
    assert shared_beginning([[*FIRST, 5], [*FIRST, 6, 7]]) == WORTH
    assert shared_beginning([FIRST, [*FIRST, 6, 7]]) == 0, "what is left is shorter than it is worth"
    assert shared_beginning([[*FIRST, 5, 5], [*FIRST, 5, 5]]) == WORTH + 1
    assert shared_beginning([[*FIRST, 5]]) == 0
    assert shared_beginning([]) == 0


def test_families_are_found_among_others() -> None:
    prompts = [[*beginning, row] for row in range(ENOUGH) for beginning in (FIRST, SECOND)]
    prompts += [[9, 9, row] for row in range(3)]
    found = families(prompts)
    assert [set(group) for group in found] == [
        set(range(0, 2 * ENOUGH, 2)),
        set(range(1, 2 * ENOUGH, 2)),
        set(range(2 * ENOUGH, 2 * ENOUGH + 3)),
    ]
    assert sorted(row for group in found for row in group) == list(range(len(prompts)))


def test_a_small_family_is_asked_among_all_others() -> None:
    prompts = [[*FIRST, row] for row in range(ENOUGH - 1)] + [[9, row] for row in range(4)]
    assert families(prompts) == [list(range(len(prompts)))]
    assert families([]) == []


def test_a_beginning_counts_only_where_it_is_a_fair_part_of_the_prompt() -> None:
    prompts = [[*FIRST, *[10 + row] * (5 * WORTH)] for row in range(ENOUGH)]
    assert families([*prompts, [3]]) == [list(range(ENOUGH + 1))]
