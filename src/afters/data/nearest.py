"""The nearest neighbour: a baseline that answers what was answered to the most similar teaching row."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from afters.data.dataset import Dataset
from afters.records import ChoiceScore, Decoding, Example, Prediction

BATCH = 64
"""Questions compared at once: their similarities to a million teaching rows take half a gigabyte."""


class NearestNeighbour:
    """Answers like a LanguageModel, by looking up instead of writing.

    Similar are rows whose words weigh alike: the cosine of their TF-IDF vectors (words counted, times the logarithm of
    how rare a word is among the teaching rows), over `content`. Of rows equally similar the first one answers. What
    tuning must beat, where the judging rows resemble the teaching rows.

    A row answers as judging would have it answered, whatever wording teaches it; where judging could ask no teaching
    row, every answer is empty.
    """

    identity: Mapping[str, str]

    def __init__(self, teaching: Dataset) -> None:
        assert teaching.side == "train", "the neighbours are teaching rows"
        counts = []
        self._answers: list[str] = []
        for example in teaching.as_judged():
            counts.append(_words(example))
            self._answers.append(example.references[0])
        self._columns = {word: column for column, word in enumerate(sorted({word for row in counts for word in row}))}
        self._rarity = self._rarities(counts)
        self._rows = self._vectors(counts)
        # Only where the wording decides the answer: elsewhere it is the model that it was when all answered as taught.
        wordings = teaching.template.wordings
        answered = any(wording.answers_itself or wording.choices is not None for wording in wordings)
        weights = f"nearest neighbour in {teaching.fingerprint}{', answered as judged' if answered else ''}"
        self.identity = {"weights": weights, "tokenizer": "words, TF-IDF"}

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield each Example's neighbour's answer, whole whatever the decoding says, a batch at a time."""
        for batch, similar, seconds in self._batches(examples, done):
            answers = [self._answers[best] for best in similar.argmax(axis=1)] if self._answers else [""] * len(batch)
            yield [
                Prediction(example.id, answers=(answer,), seconds=seconds)
                for example, answer in zip(batch, answers, strict=True)
            ]

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield certainty for one choice of each Example: the answer of the nearest row that answers one of them.

        Where no teaching row does, all choices are as probable.
        """
        for batch, similar, seconds in self._batches(examples, done):
            yield [
                Prediction(example.id, choices=self._scores(example, row), seconds=seconds)
                for example, row in zip(batch, similar, strict=True)
            ]

    def _batches(
        self, examples: Sequence[Example], done: Container[str]
    ) -> Iterator[tuple[Sequence[Example], NDArray[np.float64], float]]:
        for start in range(0, len(examples), BATCH):
            batch = examples[start : start + BATCH]
            if all(example.id in done for example in batch):
                continue
            began = time.perf_counter()
            similar = (self._vectors([_words(example) for example in batch]) @ self._rows.T).toarray()
            yield batch, similar, (time.perf_counter() - began) / len(batch)  # similar: (batch, teaching rows)

    def _scores(self, example: Example, similar: NDArray[np.float64]) -> tuple[ChoiceScore, ...]:
        offered = set(example.choices)
        nearest_first = np.argsort(-similar, kind="stable")
        found = next((self._answers[row] for row in nearest_first if self._answers[row] in offered), None)
        if found is None:
            return tuple(ChoiceScore(-float(np.log(len(example.choices))), 1) for _ in example.choices)
        return tuple(ChoiceScore(0.0 if choice == found else -np.inf, 1) for choice in example.choices)

    def _rarities(self, counts: Sequence[Counter[str]]) -> NDArray[np.float64]:
        """Return each word's log((1 + rows) / (1 + rows that have it)) + 1, the smoothed form."""
        having = Counter(word for row in counts for word in row)
        rows_with = np.array([having[word] for word in self._columns], np.float64)
        return np.asarray(np.log((1 + len(counts)) / (1 + rows_with)) + 1)

    def _vectors(self, counts: Sequence[Counter[str]]) -> sparse.csr_array:
        """Return one row of length 1 for each text, shape (texts, words); words never taught are left out."""
        data: list[float] = []
        columns: list[int] = []
        starts = [0]
        for row in counts:
            known = sorted((self._columns[word], count) for word, count in row.items() if word in self._columns)
            weights = np.array([count * self._rarity[column] for column, count in known])
            data.extend(weights / (np.linalg.norm(weights) or 1.0))
            columns.extend(column for column, _ in known)
            starts.append(len(columns))
        return sparse.csr_array((data, columns, starts), shape=(len(counts), len(self._columns)))


def _words(example: Example) -> Counter[str]:
    return Counter(re.findall(r"\w+", example.content))
