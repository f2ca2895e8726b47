from __future__ import annotations

from tiny_training import PAIRS

from afters.model.network import Pair
from afters.train.shares import share_out


def test_every_row_is_computed_by_one_process_and_all_get_alike_much() -> None:
    for processes in (1, 2, 3, 5):
        shares = share_out(PAIRS, processes=processes)
        assert len(shares) == processes
        assert sorted(row for share in shares for row in share) == sorted(PAIRS)
        tokens = [sum(len(pair.prompt) + len(pair.answer) for pair in share) for share in shares]
        longest = max(len(pair.prompt) + len(pair.answer) for pair in PAIRS)
        assert max(tokens) - min(tokens) <= 2 * longest


def test_rows_alike_in_length_meet_in_one_process() -> None:
    first, second = share_out(PAIRS, processes=2)
    assert min(map(length, first)) >= max(map(length, second))


def test_fewer_rows_than_processes_leave_some_without() -> None:
    assert share_out([Pair((1, 2), (3,))], processes=3) == [[], [Pair((1, 2), (3,))], []]


def length(pair: Pair) -> int:
    return len(pair.prompt) + len(pair.answer)
