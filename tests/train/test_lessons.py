from __future__ import annotations

import numpy as np
import pytest

from afters.model.network import Pair
from afters.train.lessons import TWO_BYTES, Pairs


@pytest.mark.parametrize("largest", [7, TWO_BYTES, TWO_BYTES + 1, 2**32 - 1])
def test_rows_come_back_as_they_were_whatever_the_vocabulary(largest: int) -> None:
    rows = [Pair((1, 2, 3), (4,)), Pair((), (largest, 5)), Pair((6,), ())]
    pairs = Pairs(rows)
    assert list(pairs) == rows
    assert pairs[-2:] == rows[-2:]
    assert np.array_equal(pairs.sizes(), [[3, 1], [0, 2], [1, 0]])


def test_ids_take_two_bytes_until_one_does_not_fit() -> None:
    small, large = Pairs([Pair((1, 2), (TWO_BYTES,))]), Pairs([Pair((1, 2), (TWO_BYTES + 1,))])
    assert [sum(map(len, pairs.bytes())) - 3 * 8 for pairs in (small, large)] == [3 * 2, 3 * 4]
