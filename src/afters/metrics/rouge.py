"""ROUGE (Lin, 2004): how many words and runs of words an answer shares with its references.

Equal to Google's rouge_score 0.1.2, and far faster: stems are remembered and the longest common subsequence is
computed a machine word at a time. Not the ROUGE of the DialogSum and SAMSum papers (py-rouge), whose ROUGE-L is
several points higher. No sentence splitting: ROUGE-Lsum takes lines for sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from statistics import fmean
from typing import Final, Literal, NamedTuple

from afters.metrics import porter
from afters.metrics.answers import answered
from afters.metrics.metric import Array, mean_from_totals
from afters.metrics.subsequence import length, places
from afters.metrics.text import words
from afters.records import Case, Direction, Kind, Row

NAMES: Final = ("rouge1", "rouge2", "rougeL", "rougeLsum")

Sentences = list[list[str]]


class Overlap(NamedTuple):
    """How much of an answer stands in a reference (precision), and the other way round (recall)."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 when they are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


class Rouge:
    """ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum, each the F-measure from 0 to 1.

    Args:
        stem: compare words by their stems, as published summarisation numbers do.
        references: of several references "mean" counts their average, as DialogSum does, and "best" the highest
            for each of the four, as rouge_score's `score_multi` does.

    A Case of several Examples gets their mean.
    """

    name = "rouge"
    names: tuple[str, ...] = NAMES
    kind: Kind = "case"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self, *, stem: bool = True, references: Literal["mean", "best"] = "mean") -> None:
        self._stem = stem
        self._pool = fmean if references == "mean" else max
        self.signature = f"refs:{references}|stem:{'yes' if stem else 'no'}|split:newline|like:rouge_score-0.1.2"

    def observe(self, case: Case) -> Row | None:
        """Return the four F-measures and the Case's count, or None when an answer is missing."""
        pairs = answered(case)
        if pairs is None:
            return None
        scored = [self._score(answer, example.references) for example, answer in pairs]
        return (*map(fmean, zip(*scored, strict=True)), 1.0)

    def from_totals(self, totals: Array) -> Array:
        """Return the means over Cases, shape (replicates, 4)."""
        return mean_from_totals(totals)

    def _score(self, answer: str, references: Sequence[str]) -> list[float]:
        written = _sentences(answer, stem=self._stem)
        each = [_overlaps(written, _sentences(reference, stem=self._stem)) for reference in references]
        return [self._pool([overlap.f1 for overlap in kind]) for kind in zip(*each, strict=True)]


def overlaps(answer: str, *, reference: str, stem: bool = True) -> dict[str, Overlap]:
    """Return precision and recall of the four kinds of ROUGE.

    >>> overlaps("It is very cold outside", reference="It is cold outside")["rougeL"]
    Overlap(precision=0.8, recall=1.0)
    """
    four = _overlaps(_sentences(answer, stem=stem), _sentences(reference, stem=stem))
    return dict(zip(NAMES, four, strict=True))


def _sentences(text: str, *, stem: bool) -> Sentences:
    lines = [words(line) for line in text.split("\n") if line]
    return [[_stemmed(word) for word in line] for line in lines] if stem else lines


def _stemmed(word: str) -> str:
    # Perl ROUGE left words of up to three letters as they are; so has everybody since.
    return porter.stem(word) if len(word) > 3 else word


def _overlaps(answer: Sentences, reference: Sentences) -> tuple[Overlap, Overlap, Overlap, Overlap]:
    written, right = list(chain.from_iterable(answer)), list(chain.from_iterable(reference))
    whole = _overlap(length(right, written), len(written), len(right))
    # Of one sentence each, what is common is the same however it is counted.
    single = len(answer) == len(reference) == 1
    summary = whole if single else _overlap(_common_by_sentence(answer, reference), len(written), len(right))
    return _runs(written, right, 1), _runs(written, right, 2), whole, summary


def _overlap(common: int, written: int, right: int) -> Overlap:
    return Overlap(common / max(written, 1), common / max(right, 1))


def _runs(answer: list[str], reference: list[str], size: int) -> Overlap:
    """Count the runs of `size` words that both have, each as often as the one that has it less often."""
    written: Counter[Hashable] = Counter(_cut(answer, size))
    right: Counter[Hashable] = Counter(_cut(reference, size))
    common = sum(min(count, right[run]) for run, count in written.items() if run in right)
    return _overlap(common, max(len(answer) - size + 1, 0), max(len(reference) - size + 1, 0))


def _cut(text: list[str], size: int) -> Iterable[Hashable]:
    return text if size == 1 else zip(*(text[start:] for start in range(size)), strict=False)


def _common_by_sentence(answer: Sentences, reference: Sentences) -> int:
    """Count the words of each reference sentence that stand in its longest subsequence with some answer sentence.

    No word counts more often than either text has it (ROUGE-1.5.5).
    """
    left_written = Counter(chain.from_iterable(answer))
    left_right = Counter(chain.from_iterable(reference))
    common = 0
    for sentence in reference:
        union = set(chain.from_iterable(places(sentence, written) for written in answer))
        for place in sorted(union):
            word = sentence[place]
            if left_written[word] > 0 and left_right[word] > 0:
                left_written[word] -= 1
                left_right[word] -= 1
                common += 1
    return common
