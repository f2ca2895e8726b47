from __future__ import annotations

from afters.metrics.text import folded, mostly_beyond_ascii, squad_normalised, stripped, unicode_words, words


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


def test_words_beyond_ascii_vanish_whatever_they_are() -> None:
    assert words("ﬁne İstanbul ſ K \ud800x") == ["ne", "i", "stanbul", "k", "x"]


def test_unicode_words_are_runs_of_letters_digits_and_marks_of_any_script() -> None:
    assert unicode_words("Привет, мир_2!") == ["привет", "мир", "2"]
    assert unicode_words("हिन्दी में") == ["हिन्दी", "में"]  # vowel signs and the virama are marks
    assert unicode_words("שָׁלוֹם عَرَبِيّ") == ["שָׁלוֹם", "عَرَبِيّ"]
    assert unicode_words("Cafe\u0301 café") == ["café", "café"]
    assert unicode_words("…!? _") == []


def test_each_letter_of_a_script_without_spaces_is_a_word() -> None:
    assert unicode_words("東京で3時 OK") == ["東", "京", "で", "3", "時", "ok"]
    assert unicode_words("น้ำ。") == ["น้", "ำ"]


def test_of_ascii_texts_the_unicode_words_are_the_words() -> None:
    for text in ("Don't pay $1,200 at_once", "a\tb\r\nC3PO -- x", ""):
        assert unicode_words(text) == words(text)


def test_most_letters_beyond_ascii_are_noticed_and_accents_are_not() -> None:
    assert [mostly_beyond_ascii(text) for text in ("注文 10432", "Привет Tom", "😀 12 …")] == [True, True, False]
    assert not mostly_beyond_ascii("Zoë trägt Größe 38 in Köln")
