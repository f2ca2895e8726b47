from __future__ import annotations

from collections import Counter

import pytest

from afters.data.split import Side, chosen, content_of, digest, ids_of, named_side, normalised, side_of
from afters.errors import DataError

FRACTIONS: dict[Side, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}


def test_normalised_text_forgets_width_case_and_spacing() -> None:
    assert normalised("  Ｈello\n\tWORLD \u00a0x") == "hello world x"
    assert normalised("Straße") == normalised("STRASSE")
    assert normalised("cafe\u0301") == normalised("café")


def test_content_tells_columns_apart_and_is_empty_when_all_are() -> None:
    assert content_of({"a": "x ", "b": 1, "c": "-"}, ["a", "b"]) == "x\n1"
    assert content_of({"a": "x y", "b": ""}, ["a", "b"]) != content_of({"a": "x", "b": "y"}, ["a", "b"])
    assert content_of({"a": None, "b": "  "}, ["a", "b"]) == ""


def test_the_digest_is_the_start_of_sha256() -> None:
    assert digest("abc") == "ba7816bf8f01"  # FIPS 180-2, appendix B.1


def test_sides_follow_the_fractions() -> None:
    sides = Counter(side_of(digest(str(number)), fractions=FRACTIONS, seed=7) for number in range(10_000))
    assert abs(sides["train"] - 8_000) < 160  # four standard deviations
    assert abs(sides["validation"] - 1_000) < 120
    assert sum(sides.values()) == 10_000


def test_the_seed_deals_anew() -> None:
    keys = [digest(str(number)) for number in range(200)]
    first, second = ([side_of(key, fractions=FRACTIONS, seed=seed) for key in keys] for seed in (1, 2))
    assert first != second


def test_a_higher_limit_keeps_every_row_of_a_lower_one_in_file_order() -> None:
    keys = [digest(str(number)) for number in range(100)]
    fewer, more = chosen(keys, 10, seed=7), chosen(keys, 30, seed=7)
    assert len(fewer) == 10 and set(fewer) < set(more)
    assert more == sorted(more) != list(range(30))
    assert chosen(keys, None, seed=7) == chosen(keys, 100, seed=7) == list(range(100))


def test_a_new_row_moves_at_most_one_of_the_chosen() -> None:
    keys = [digest(str(number)) for number in range(100)]
    before = {keys[position] for position in chosen(keys, 20, seed=7)}
    longer = [digest("new"), *keys]
    after = {longer[position] for position in chosen(longer, 20, seed=7)}
    assert len(before - after) <= 1


def test_ids_count_the_rows_of_one_content() -> None:
    assert ids_of(["a", "b", "a", "a"]) == ("a", "b", "a-2", "a-3")


def test_a_split_column_may_use_common_names() -> None:
    assert [named_side(name, where="") for name in ("Train", " dev ", "val", "test")] == [
        "train",
        "validation",
        "validation",
        "test",
    ]
    with pytest.raises(DataError, match=r"a.csv:3:split: unknown side 'tset'; did you mean 'test'\?"):
        named_side("tset", where="a.csv:3:split")
