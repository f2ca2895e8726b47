"""What two texts have in common, found where it stands: words, runs of words, the longest common subsequence.

The words of a reference are the bits of a number, the first word the lowest, and an answer is the list of the
places of its words there. Shifting and masking those places finds common runs. The table of lengths of common
subsequences grows by at most one from row to row, so a column is kept as a number whose bits say where it does
*not* grow, and one addition makes the next column (H. Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA
2004). Several sentences of a reference stand side by side in one number, each in a lane of its own with a bit above
it that catches the carry: one addition serves them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count
from typing import Final

Places = Mapping[str, int]
"""Where each word of a reference stands."""


_BITS: Final = tuple(1 << place for place in range(1024))


def places(reference: Sequence[str]) -> dict[str, int]:
    """Return the bits of each word.

    >>> places("to be or not to be".split())
    {'to': 17, 'be': 34, 'or': 4, 'not': 8}
    """
    made: dict[str, int] = {}
    ready = len(reference) <= len(_BITS)
    for word, bit in zip(reference, _BITS if ready else (1 << place for place in count()), strict=False):
        if word in made:
            made[word] |= bit
        else:
            made[word] = bit
    return made


def met(reference: Places, answer: Iterable[str]) -> list[int | None]:
    """Return for each word of the answer its places in the reference; None where it has none."""
    return list(map(reference.get, answer))


def runs(words: Sequence[int | None], *, size: int) -> list[int]:
    """Return where each run of `size` words ends in the reference, from the places of an answer's words."""
    ends: Sequence[int | None] = words
    for before in range(1, size):
        ends = [end and word and end << 1 & word for end, word in zip(ends, words[before:], strict=False)]
    return list(filter(None, ends))


def length(words: Iterable[int | None], *, size: int) -> int:
    """Return the length of the longest common subsequence with a reference of `size` words.

    >>> reference = "it is cold outside".split()
    >>> length(met(places(reference), "it is very cold outside".split()), size=4)
    4
    """
    column = whole = (1 << size) - 1
    for word in filter(None, words):
        matched = column & word
        if matched:
            column = (column + matched) | (column ^ matched)
    # What was carried beyond the last word has changed nothing below.
    return size - (column & whole).bit_count()


class Lanes:
    """The sentences of a reference side by side."""

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        lengths = [len(sentence) for sentence in sentences]
        self.places: dict[str, int] = places([*chain.from_iterable((*sentence, "") for sentence in sentences)])
        self.whole = (1 << sum(lengths) + len(lengths)) - 1 - self.places.pop("", 0)
        """The bits of all words."""
        powers = [1 << power for power in range(max(lengths, default=0).bit_length())]
        self.steps = [(power, _without_top(lengths, power)) for power in powers]
        """Powers of two up to the longest lane, each with the bits that are left when all move down by so much."""


def union(reference: Lanes, answer: Iterable[Iterable[str]]) -> int:
    """Return the bits of the words that stand in their lane's longest common subsequence with some answer sentence.

    Of several longest ones, the one that is met walking back from the ends: along both texts where the words are
    equal, otherwise back in the answer when going back in the reference would lose a word, otherwise in the
    reference. Which one is taken decides ROUGE-Lsum.
    """
    found = 0
    for sentence in answer:
        found |= _walked_back(reference, _columns(reference, sentence))
    return found


def _without_top(lengths: Iterable[int], rows: int) -> int:
    kept, start = 0, 0
    for length in lengths:
        if length > rows:
            kept |= ((1 << length - rows) - 1) << start
        start += length + 1
    return kept


def _columns(reference: Lanes, answer: Iterable[str]) -> list[tuple[int, int]]:
    """Return the places of each answer word with the column after it.

    Bit i of a column is 0 where the first i + 1 words of its lane have a longer common subsequence with the answer
    so far than the first i have. Words that stand nowhere in the reference change no column: a run of them is one
    entry, and before the first word that does, none.
    """
    made: list[tuple[int, int]] = []
    column = whole = reference.whole
    last: int | None = None
    for word in met(reference.places, answer):
        if word:
            matched = column & word
            if matched:
                column = ((column + matched) | (column ^ matched)) & whole
            made.append((word, column))
        elif last:
            made.append((0, column))
        last = word
    return made


def _walked_back(reference: Lanes, columns: Sequence[tuple[int, int]]) -> int:
    """Walk back from the ends in all lanes at once, and return the words on the way that are equal."""
    whole, steps, found = reference.whole, reference.steps, 0
    rows = whole
    """The words of each lane that the walk has not passed yet."""
    for word, column in reversed(columns):
        # In each lane the walk goes back to the last word that is equal or without which the subsequence is shorter.
        rows &= word | (whole ^ column)
        for step, kept in steps:
            rows |= (rows >> step) & kept
        if not rows:
            break
        # Of the rows left in a lane, only the last has no row above it.
        taken = rows & ~(rows >> 1 & whole) & word
        found |= taken
        rows ^= taken
    return found
