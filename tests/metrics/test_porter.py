"""The oracle is NLTK's PorterStemmer: rouge_score stems with its extensions, py-rouge without."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from nltk.stem.porter import PorterStemmer

from afters.metrics.porter import Stems, stem, stem_of_1980
from afters.seeds import stream

BOTH = pytest.mark.parametrize(
    ("ours", "mode"),
    [(stem, PorterStemmer.NLTK_EXTENSIONS), (stem_of_1980, PorterStemmer.ORIGINAL_ALGORITHM)],
    ids=["extended", "of 1980"],
)

ENDINGS = """
s es ies sses ss ed ing eed ied y ly e ll al er ic ate ion tion ism ous ive ize ful ness ment ement
able ible ance ence ant ent ou iti logi alli bli eli entli ousli ation ational tional ator alism
iveness fulness ousness aliti iviti biliti fulli icate ative alize iciti ical izer ization enci anci
""".split()


def test_stems_are_those_of_the_algorithm() -> None:
    known = {
        "caresses": "caress",
        "ponies": "poni",
        "dies": "die",
        "agreed": "agre",
        "feed": "feed",
        "plastered": "plaster",
        "hopping": "hop",
        "hoping": "hope",
        "falling": "fall",
        "happy": "happi",
        "enjoy": "enjoy",
        "relational": "relat",
        "electricity": "electr",
        "hopefully": "hope",
        "archaeology": "archaeolog",
        "adoption": "adopt",
        "controlling": "control",
        "skies": "sky",
        "dying": "die",
        "news": "news",
        "innings": "inning",
        "proceed": "proceed",
        "by": "by",
        "syzygy": "syzygi",
        "b2b": "b2b",
    }
    assert {word: stem(word) for word in known} == known


def test_stems_of_1980_know_no_extensions() -> None:
    known = {"dies": "di", "enjoy": "enjoi", "skies": "ski", "news": "new", "archaeology": "archaeologi", "dyed": "dy"}
    assert {word: stem_of_1980(word) for word in known} == known


@BOTH
def test_made_up_words_are_stemmed_as_by_nltk(ours: Callable[[str], str], mode: str) -> None:
    draw = stream(1, "words")
    letters = list("aeiouybcdlstwxz1")
    theirs = PorterStemmer(mode)
    for _ in range(4000):
        root = "".join(draw.choice(letters, size=int(draw.integers(1, 6))))
        word = root + "".join(draw.choice(ENDINGS, size=int(draw.integers(0, 4))))
        assert ours(word) == theirs.stem(word), word


def test_stems_are_remembered_and_forgotten_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def make(word: str) -> str:
        asked.append(word)
        return word[:1]

    monkeypatch.setattr(Stems, "MOST", 2)
    stems = Stems(make)
    assert [stems[word] for word in ("cats", "cats", "dogs", "owls", "cats")] == ["c", "c", "d", "o", "c"]
    assert asked == ["cats", "dogs", "owls", "cats"]


@BOTH
@pytest.mark.data
def test_every_word_of_dialogsum_is_stemmed_as_by_nltk(
    data_folder: Path, ours: Callable[[str], str], mode: str
) -> None:
    texts = (path.read_text(encoding="utf-8") for path in sorted((data_folder / "dialogsum").glob("*.jsonl")))
    values = (str(value) for text in texts for line in text.splitlines() for value in json.loads(line).values())
    vocabulary = {word for value in values for word in re.findall(r"[a-z0-9]+", value.lower())}
    theirs = PorterStemmer(mode)
    assert len(vocabulary) > 10_000
    assert [word for word in vocabulary if ours(word) != theirs.stem(word)] == []
