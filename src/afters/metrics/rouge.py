"""ROUGE (Lin, 2004): how many words and runs of words an answer shares with its references.

Equal to Google's rouge_score 0.1.2, and far faster: stems are remembered, a text is read once, and what is common
is found a machine word at a time. Not the ROUGE of the DialogSum and SAMSum papers, whose ROUGE-L is several points
higher: that is `pyrouge.py`. No sentence splitting: ROUGE-Lsum takes lines for sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain
from statistics import fmean
from typing import Final, Literal, NamedTuple

from afters.metrics import porter
from afters.metrics.answers import answered
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.subsequence import Lanes, length, met, places, runs, union
from afters.metrics.text import mostly_beyond_ascii, unicode_words, words
from afters.records import Case, Direction, Kind, Row

NAMES: Final = ("rouge1", "rouge2", "rougeL", "rougeLsum")

Words = Literal["ascii", "unicode"]
"""What is a word: runs of ASCII letters and digits, as everywhere else, or of those of any script."""

Kinds = Sequence[str]
"""Names of scores, as `rouge2` and `rougeLsum`."""


class Overlap(NamedTuple):
    """How much of an answer stands in a reference (precision), and the other way round (recall)."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 when they are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Reading:
    """A text as ROUGE reads it; what several comparisons need of it is made once."""

    __slots__ = ("_lanes", "_places", "_read", "_sentences", "_text", "words")

    def __init__(self, text: str, read: Callable[[str], list[str]]) -> None:
        self._text = text
        self._read = read
        self.words = read(text)
        self._sentences: list[list[str]] | None = None
        self._places: dict[str, int] | None = None
        self._lanes: Lanes | None = None

    @property
    def sentences(self) -> list[list[str]]:
        """The words, line by line; empty lines are none."""
        if self._sentences is None:
            lines = [line for line in self._text.split("\n") if line]
            self._sentences = [self.words] if len(lines) == 1 else [self._read(line) for line in lines]
        return self._sentences

    @property
    def places(self) -> dict[str, int]:
        """Where each word stands."""
        if self._places is None:
            self._places = places(self.words)
        return self._places

    @property
    def lanes(self) -> Lanes:
        """Where each word stands, sentence by sentence."""
        if self._lanes is None:
            self._lanes = Lanes(self.sentences)
        return self._lanes


class Pair:
    """An answer beside a reference."""

    __slots__ = ("_longest", "answer", "places", "reference")

    def __init__(self, answer: Reading, reference: Reading) -> None:
        self.answer = answer
        self.reference = reference
        self.places = met(reference.places, answer.words)
        """Where each word of the answer stands in the reference."""
        self._longest: int | None = None

    @property
    def longest(self) -> int:
        """The length of the longest common subsequence."""
        if self._longest is None:
            self._longest = length(self.places, size=len(self.reference.words))
        return self._longest

    def overlap(self, common: int, *, less: int = 0) -> Overlap:
        """Set what is common against the words of both, each less so many."""
        written, right = len(self.answer.words) - less, len(self.reference.words) - less
        return Overlap(common / max(written, 1), common / max(right, 1))


class Rouge:
    """ROUGE as F-measures from 0 to 1: ROUGE-1, -2, -L and -Lsum, or other runs of up to nine words.

    Args:
        stem: compare words by their stems, as published summarisation numbers do.
        references: of several references "mean" counts their average, as DialogSum does, and "best" the highest
            for each of the scores, as rouge_score's `score_multi` does.
        words: "ascii" counts runs of ASCII letters and digits alone, as published numbers do; "unicode" letters
            and digits of every script, and stems those words only that are ASCII.
        only: the one score to give, as "rouge3"; the metric then bears its name.

    A Case of several Examples gets their mean.
    """

    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(
        self,
        *,
        stem: bool = True,
        references: Literal["mean", "best"] = "mean",
        words: Words = "ascii",
        only: str | None = None,
    ) -> None:
        self.name = only or "rouge"
        self.names: tuple[str, ...] = (only,) if only else NAMES
        self._stem = stem
        self._words: Words = words
        self._pool = fmean if references == "mean" else max
        like = "like:rouge_score-0.1.2" if words == "ascii" else "words:unicode|version:1"
        self.signature = f"refs:{references}|stem:{'yes' if stem else 'no'}|split:newline|{like}"

    def observe(self, case: Case) -> Row | None:
        """Return the F-measures and the Case's count, or None when an answer is missing."""
        pairs = answered(case)
        if pairs is None:
            return None
        scored = [self._score(answer, example.references) for example, answer in pairs]
        return (*map(fmean, zip(*scored, strict=True)), 1.0)

    def from_totals(self, totals: Array) -> Array:
        """Return the means over Cases, shape (replicates, number of scores)."""
        return mean_from_totals(totals)

    def note(self, references: Iterable[str]) -> str | None:
        """Say when references are in letters that do not count."""
        return None if self._words == "unicode" else unread(references, hint='words = "unicode" counts them')

    def _score(self, answer: str, references: Sequence[str]) -> list[float]:
        written = _read(answer, self._stem, self._words)
        right = [_read(reference, self._stem, self._words) for reference in references]
        each = [_overlaps(written, reading, self.names) for reading in right]
        return [self._pool([overlap.f1 for overlap in kind]) for kind in zip(*each, strict=True)]


def overlaps(
    answer: str, *, reference: str, stem: bool = True, words: Words = "ascii", kinds: Kinds = NAMES
) -> dict[str, Overlap]:
    """Return precision and recall of the kinds of ROUGE asked for.

    >>> overlaps("It is very cold outside", reference="It is cold outside")["rougeL"]
    Overlap(precision=0.8, recall=1.0)
    """
    found = _overlaps(_read(answer, stem, words), _read(reference, stem, words), kinds)
    return dict(zip(kinds, found, strict=True))


def unread(references: Iterable[str], *, hint: str) -> str | None:
    """Say how many references are mostly in letters that ROUGE does not read; None when none is."""
    right = list(references)
    lost = sum(map(mostly_beyond_ascii, right))
    if not lost:
        return None
    return f"ROUGE reads ASCII letters and digits alone, and {lost:,} of {len(right):,} references have few: {hint}"


def common_runs(places: Sequence[int | None], *, size: int) -> int:
    """Count the runs of `size` words that both have, each as often as the one that has it less often.

    Args:
        places: where each word of the answer stands in the reference; see `subsequence.met`.
        size: words in a run.
    """
    shared = runs(places, size=size)
    often = [(times, ends.bit_count()) for ends, times in Counter(shared).items() if times > 1]
    return len(shared) - sum([times - there for times, there in often if times > there])


def common_by_sentence(answer: Sequence[Sequence[str]], *, reference: Lanes) -> int:
    """Count the words of each reference sentence that stand in its longest subsequence with some answer sentence.

    No word counts more often than the answer has it (ROUGE-1.5.5).
    """
    found = union(reference, answer)
    counts = Counter(chain.from_iterable(answer))
    shared = [(counts[word], bits & found) for word, bits in reference.places.items() if word in counts]
    return sum([min(times, bits.bit_count()) for times, bits in shared if bits])


# A text meets its references one after the other; to remember more of them takes memory out of the cache.
@lru_cache(maxsize=256)
def _read(written: str, stem: bool, script: Words) -> Reading:
    return Reading(written, _READERS[script, stem])


def _stemmed(written: str) -> list[str]:
    return list(map(_STEMS.__getitem__, words(written)))


def _unicode_stemmed(written: str) -> list[str]:
    return list(map(_STEMS.__getitem__, unicode_words(written)))


# Perl ROUGE left words of up to three letters as they are; so has everybody since.
_STEMS: Final = porter.Stems(lambda word: porter.stem(word) if len(word) > 3 and word.isascii() else word)

_READERS: Final[Mapping[tuple[Words, bool], Callable[[str], list[str]]]] = {
    ("ascii", False): words,
    ("ascii", True): _stemmed,
    ("unicode", False): unicode_words,
    ("unicode", True): _unicode_stemmed,
}


def _overlaps(answer: Reading, reference: Reading, kinds: Kinds) -> list[Overlap]:
    pair = Pair(answer, reference)
    return [KINDS[kind](pair) for kind in kinds]


def _of_runs(pair: Pair, *, size: int) -> Overlap:
    return pair.overlap(common_runs(pair.places, size=size), less=size - 1)


def _of_texts(pair: Pair) -> Overlap:
    return pair.overlap(pair.longest)


def _of_sentences(pair: Pair) -> Overlap:
    # Of one sentence each, what is common is the same however it is counted.
    if len(pair.answer.sentences) == len(pair.reference.sentences) == 1:
        return pair.overlap(pair.longest)
    return pair.overlap(common_by_sentence(pair.answer.sentences, reference=pair.reference.lanes))


KINDS: Final[Mapping[str, Callable[[Pair], Overlap]]] = {
    **{f"rouge{size}": partial(_of_runs, size=size) for size in range(1, 10)},
    "rougeL": _of_texts,
    "rougeLsum": _of_sentences,
}
"""All kinds of ROUGE there are, by name."""
