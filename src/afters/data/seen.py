"""Seen: what one pass over a side keeps of its rows, for the checks: digests and counts, never the rows."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afters.data.dataset import Dataset
from afters.data.split import normalised
from afters.records import Example

MOST_LABELS = 100
"""More different answers than this are no labels."""

RECURS = 5
"""Without declared choices, answers are labels where each stands in so many rows on average."""

RIGHT, WRONG = 1, 2
"""What of the answers stands in the row itself: the right one; of choices, none but one that is wrong."""


@dataclass
class Labels:
    """How often each label is the right one."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)
    """The position of the first row of each label."""

    def add(self, label: str, position: int) -> None:
        """Count a row; more labels than there can be are not told apart any further."""
        if label in self.counts or len(self.counts) <= MOST_LABELS:
            self.counts[label] += 1
            self.first.setdefault(label, position)

    @property
    def recur(self) -> bool:
        """Whether these answers are labels, though nobody has declared them."""
        return len(self.counts) <= MOST_LABELS and self.counts.total() >= RECURS * len(self.counts)


@dataclass(frozen=True)
class Seen:
    """What was seen of one side, row by row in the order of its Dataset."""

    rows: Dataset
    contents: NDArray[np.uint64]
    """The digest of each row's content."""
    answers: NDArray[np.uint64]
    """The digest of each row's right answers."""
    stands: NDArray[np.uint8]
    """Whether its answer stands in the row's own content: RIGHT, WRONG or 0."""
    equals: NDArray[np.int16]
    """Which asked column says the answer and nothing else; -1: none."""
    labels: Labels

    def source(self, position: int) -> str:
        """Return where a row is from, as `support.csv:17`."""
        return self.rows.rows.source(position)


def look(dataset: Dataset) -> Seen:
    """Go once over the rows of a side."""
    contents, answers = array("Q"), array("Q")
    stands, equals, labels = array("B"), array("h"), Labels()
    inverted = {wording.id for wording in dataset.template.wordings if wording.inverted}
    for position, example in enumerate(dataset):
        contents.append(int(example.cluster, 16))
        if example.objective != "answer":
            continue  # a text is its own answer
        answers.append(_digest("\n".join(map(_plain, example.references))))
        if example.wording in inverted:  # its answer is what others ask about
            stands.append(0)
            equals.append(-1)
            continue
        stands.append(_stands(example))
        equals.append(_column(example))
        if label := _label(example, declared=not isinstance(dataset.template.choices, str)):
            labels.add(label, position)
    return Seen(
        dataset,
        np.asarray(contents, np.uint64),
        np.asarray(answers, np.uint64),
        np.asarray(stands, np.uint8),
        np.asarray(equals, np.int16),
        labels,
    )


def stands_in(answer: str, content: str) -> bool:
    """Tell whether the answer stands in the content as whole words; both are normalised.

    >>> stands_in("art", "the art of war"), stands_in("art", "a party"), stands_in("巴黎", "他住在巴黎市")
    (True, False, True)
    """
    start = content.find(answer) if answer else -1
    while start >= 0:
        end = start + len(answer)
        if not _joined(content[start - 1 : start], answer[0]) and not _joined(answer[-1], content[end : end + 1]):
            return True
        start = content.find(answer, start + 1)
    return False


def _joined(left: str, right: str) -> bool:
    """Tell whether two letters belong to one word; from U+2E80 on, scripts write their words without spaces."""
    return left.isalnum() and right.isalnum() and max(left, right) < "\u2e80"


def _stands(example: Example) -> int:
    """Look into the content, not the prompt: there the template may list all choices, or name one to explain it."""
    right = stands_in(_plain(example.references[0]), example.content)
    if len(example.choices) < 2:
        return RIGHT if right else 0
    others = any(stands_in(_plain(one), example.content) for one in example.choices if one != example.references[0])
    return 0 if right == others else RIGHT if right else WRONG


def _column(example: Example) -> int:
    parts = example.content.split("\n")  # one column a line, see `split.content_of`
    answer = _plain(example.references[0])
    return parts.index(answer) if answer in parts else -1


def _label(example: Example, *, declared: bool) -> str:
    """Return the right answer, or which of the row's own choices it is; nothing where there is nothing to choose."""
    if declared:
        return example.references[0]
    return f"choice {example.choices.index(example.references[0]) + 1}" if len(example.choices) > 1 else ""


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return normalised(text)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
