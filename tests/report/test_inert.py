from __future__ import annotations

import doctest
import unicodedata

import pytest

from afters.report import charts, inert, judged, numbers
from afters.report.inert import inert as made_inert


@pytest.mark.parametrize("module", [charts, inert, judged, numbers])
def test_the_examples_in_the_docstrings_run(module: object) -> None:
    found = doctest.testmod(module)  # type: ignore[arg-type]
    assert found.attempted and not found.failed


def test_of_all_controls_separators_surrogates_and_embeddings_only_tab_and_line_feed_are_left() -> None:
    embedding = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    every = map(chr, range(0x110000))
    acting = [
        character
        for character in every
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in embedding
    ]
    assert [character for character in acting if made_inert(character) == character] == ["\t", "\n"]


@pytest.mark.parametrize("invisible", ["\u200b", "\u200e", "\u061c", "\u2060", "\ufeff", "\ufff9", "\U000e0041"])
def test_what_nobody_sees_is_made_visible(invisible: str) -> None:
    assert made_inert(f"a{invisible}b") == f"a⟨U+{ord(invisible):04X}⟩b"


def test_what_people_write_stays_as_it_is() -> None:
    text = "Grüße, 你好, नमस्ते क्‍ष, می‌خواهم, שלום, 👩‍👩‍👧, naïve\tcafé\n½ − → …"
    assert made_inert(text) == text
