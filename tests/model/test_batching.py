from __future__ import annotations

from afters.model.batching import Lengths, by_budget
from afters.seeds import stream


def padded_tokens(batch: list[int], lengths: list[Lengths]) -> int:
    widest = max(lengths[row].prompt for row in batch) + max(lengths[row].answer for row in batch)
    return len(batch) * widest


def test_batches_hold_every_row_once_within_the_budget() -> None:
    for draw in range(50):
        chance = stream(1, "lengths", draw)
        lengths = [Lengths(*pair) for pair in chance.integers(1, 60, size=(draw, 2)).tolist()]
        budget = int(chance.integers(1, 500))
        batches = by_budget(lengths, tokens=budget)
        assert sorted(row for batch in batches for row in batch) == list(range(draw))
        for batch in batches:
            assert len(batch) == 1 or padded_tokens(batch, lengths) <= budget


def test_a_batch_is_cut_only_when_the_next_row_does_not_fit() -> None:
    for draw in range(50):
        chance = stream(2, "lengths", draw)
        lengths = [Lengths(*pair) for pair in chance.integers(1, 60, size=(30, 2)).tolist()]
        budget = int(chance.integers(100, 900))
        batches = by_budget(lengths, tokens=budget)
        for batch, following in zip(batches, batches[1:], strict=False):
            assert padded_tokens([*batch, following[0]], lengths) > budget


def test_the_longest_prompts_come_first_and_equals_keep_their_order() -> None:
    lengths = [Lengths(3, 1), Lengths(9, 1), Lengths(3, 2), Lengths(3, 1)]
    assert by_budget(lengths, tokens=1) == [[1], [2], [0], [3]]
    assert by_budget(lengths, tokens=1000) == [[1, 2, 0, 3]]


def test_a_row_over_the_budget_stands_alone() -> None:
    assert by_budget([Lengths(100, 5), Lengths(2, 1), Lengths(2, 1)], tokens=10) == [[0], [1, 2]]


def test_no_rows_make_no_batches() -> None:
    assert by_budget([], tokens=10) == []
