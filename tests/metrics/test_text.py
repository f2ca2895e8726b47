from __future__ import annotations

from afters.metrics.text import folded, squad_normalised, stripped, words


def test_squad_forgets_case_punctuation_articles_and_spacing() -> None:
    assert squad_normalised("  The cat, an apple -- and A dog!\n") == "cat apple and dog"
    assert squad_normalised("another theory") == "another theory"  # no article in the middle of a word
    assert squad_normalised("a-b") == "ab"  # punctuation goes first, as in the official script


def test_words_are_runs_of_ascii_letters_and_digits() -> None:
    assert words("Don't pay £1,200 at_once, Zoë") == ["don", "t", "pay", "1", "200", "at", "once", "zo"]
    assert words("日本語 …") == []


def test_stripped_keeps_case_and_folded_does_not() -> None:
    assert stripped("  A b\n") == "A b"
    assert folded(" STRASSE ") == folded("straße")
