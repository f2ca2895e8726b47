"""ROUGE as the DialogSum and SAMSum papers report it: py-rouge with the settings of its README.

SAMSum (Gliwa et al., arXiv 1911.12237) and DialogSum (Chen et al., ACL 2021) score with py-rouge, a Python
ROUGE-1.5.5 that today's Python cannot install. It differs from rouge_score in everything that moves the number:

- Both texts are cut after 100 words.
- Words are those of NLTK's tokenizer, which parts *gonna* and *wanna*, stemmed by Porter's algorithm of 1980.
- Over several references the counts are added up, and precision and recall are those of the sums.
- ROUGE-L is that of ROUGE-1.5.5's summaries, line by line; and its precision and recall are raised to the power of
  1/1.2, as only ROUGE-W's should be. That alone lifts 45 to 51. Published figures have it, so it stands here.

What is not covered: the table of irregular English forms from WordNet (*went* to *go*), and some hundred words whose
stems py-rouge corrects by hand. With WordNet 3.0's table the scores of DialogSum's human summaries and first lines
rise by 0.07 of 100 at most; the corrected words move them by far less. Of several references an empty one counts as
no runs, where py-rouge counts fewer than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from statistics import fmean
from typing import Final, NamedTuple

from afters.metrics import porter
from afters.metrics.answers import answered
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.rouge import Overlap, common_by_sentence, common_runs, unread
from afters.metrics.subsequence import Lanes, met, places
from afters.metrics.text import words
from afters.records import Case, Direction, Kind, Row

LONGEST: Final = 100
"""Words of a text that count, as white space parts them."""

WEIGHT: Final = 1.2
"""ROUGE-W's weight for runs in a row, which py-rouge lets ROUGE-L have too."""

# What NLTK's word_tokenize still parts when only letters, digits and spaces are left. It parts "cannot" as well,
# which py-rouge prevents.
_PARTED: Final = re.compile(r"(?<![a-z0-9])(?:gim(?=me)|gon(?=na)|got(?=ta)|lem(?=me)|wan(?=na))(?=..(?![a-z0-9]))")


class PyRouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L as in the DialogSum and SAMSum papers, each the F-measure from 0 to 1.

    A Case of several Examples gets their mean.
    """

    name = "pyrouge"
    names: tuple[str, ...] = ("pyrouge1", "pyrouge2", "pyrougeL")
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None
    signature = f"refs:pooled|stem:porter1980|limit:{LONGEST}words|L:summary,weight{WEIGHT}|like:py-rouge|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the three F-measures and the Case's count, or None when an answer is missing."""
        pairs = answered(case)
        if pairs is None:
            return None
        scored = [[found.f1 for found in pooled(answer, references=example.references)] for example, answer in pairs]
        return (*map(fmean, zip(*scored, strict=True)), 1.0)

    def from_totals(self, totals: Array) -> Array:
        """Return the means over Cases, shape (replicates, 3)."""
        return mean_from_totals(totals)

    def note(self, references: Iterable[str]) -> str | None:
        """Say when references are in letters that do not count."""
        return unread(references, hint='the metric rouge with words = "unicode" counts them')


class Reading(NamedTuple):
    """A text as py-rouge reads it."""

    words: list[str]
    sentences: list[list[str]]
    places: dict[str, int]
    lanes: Lanes


def pooled(answer: str, *, references: Sequence[str]) -> tuple[Overlap, Overlap, Overlap]:
    """Return precision and recall of ROUGE-1, ROUGE-2 and ROUGE-L over all references together.

    >>> pooled("It is very cold outside", references=["It is cold outside", "It is cold"])[0]
    Overlap(precision=0.7, recall=1.0)
    """
    written, right = _read(answer), [_read(reference) for reference in references]
    one, two = (_pool(written, right, [_common(written, one, size) for one in right], size=size) for size in (1, 2))
    by_line = [common_by_sentence(written.sentences, reference=one.lanes) for one in right]
    whole = _pool(written, right, by_line, size=1)
    return one, two, Overlap(whole.precision ** (1 / WEIGHT), whole.recall ** (1 / WEIGHT))


def _pool(answer: Reading, references: Sequence[Reading], common: Sequence[int], *, size: int) -> Overlap:
    written = len(references) * max(len(answer.words) - size + 1, 0)
    right = sum(max(len(one.words) - size + 1, 0) for one in references)
    return Overlap(sum(common) / max(written, 1), sum(common) / max(right, 1))


def _common(answer: Reading, reference: Reading, size: int) -> int:
    return common_runs(met(reference.places, answer.words), size=size)


def stems(line: str) -> list[str]:
    """Return the words of a line by their stems.

    >>> stems("I'm gonna enjoy it.")
    ['i', 'm', 'gon', 'na', 'enjoi', 'it']
    """
    return list(map(_STEMS.__getitem__, words(_PARTED.sub(r"\g<0> ", line.lower()))))


@lru_cache(maxsize=256)
def _read(text: str) -> Reading:
    sentences = [stems(line) for line in _first_words(text)]
    flat = list(chain.from_iterable(sentences))
    return Reading(flat, sentences, places(flat), Lanes(sentences))


def _first_words(text: str) -> Iterator[str]:
    """Yield the lines up to the last word that counts."""
    left = LONGEST
    for line in text.split("\n"):
        kept = line.split()[:left]
        left -= len(kept)
        yield " ".join(kept)


# Words of up to three letters stay as they are, and so does the one that was kept from being parted.
_STEMS: Final = porter.Stems(lambda word: porter.stem_of_1980(word) if len(word) > 3 and word != "cannot" else word)
