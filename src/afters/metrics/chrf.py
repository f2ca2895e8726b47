"""The chrF score (Popović, 2015) as sacrebleu counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from sacrebleu import __version__ as sacrebleu_version
from sacrebleu.metrics.helpers import extract_all_char_ngrams

from afters.metrics.answers import answered
from afters.metrics.metric import Array
from afters.records import Case, Direction, Kind, Row

ORDERS: Final = 6
"""chrF looks at runs of one to six characters, white space left out."""

BETA: Final = 2
"""Recall counts twice as much as precision."""


class Chrf:
    """Corpus chrF2 from 0 to 100, equal to `sacrebleu.corpus_chrf` with its default settings.

    Of several references the one counts that gives the answer by itself the highest chrF. A Case whose references
    are all empty cannot be judged.
    """

    name = "chrf"
    names: tuple[str, ...] = ("chrf",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = None
    signature = f"case:mixed|eff:yes|nc:{ORDERS}|nw:0|space:no|version:{sacrebleu_version}"

    def observe(self, case: Case) -> Row | None:
        """Return the runs written, those of the reference, and those that match, for each order."""
        pairs = answered(case)
        if pairs is None or not all(any(example.references) for example, _ in pairs):
            return None
        best = [self._best(answer, example.references) for example, answer in pairs]
        return tuple(np.sum(best, axis=0).tolist())

    def from_totals(self, totals: Array) -> Array:
        """Return chrF from summed counts of shape (replicates, 18); the result has shape (replicates, 1).

        Precision and recall are means over the orders of which both texts have runs.
        """
        written, right, matched = np.moveaxis(totals.reshape(-1, ORDERS, 3), 2, 0)  # (replicates, orders)
        defined = (written > 0) & (right > 0)
        orders = np.maximum(defined.sum(axis=1), 1)
        precision = np.where(defined, matched / np.maximum(written, 1), 0).sum(axis=1) / orders
        recall = np.where(defined, matched / np.maximum(right, 1), 0).sum(axis=1) / orders
        both = BETA**2 * precision + recall
        score = 100 * (1 + BETA**2) * precision * recall / np.where(both > 0, both, 1)
        return np.asarray(score, dtype=np.float64)[:, None]

    def _best(self, answer: str, references: Sequence[str]) -> Array:
        each = np.array([_statistics(answer, reference) for reference in references], dtype=np.float64)
        return np.asarray(each[self.from_totals(each)[:, 0].argmax()], dtype=np.float64)


def _statistics(answer: str, reference: str) -> list[int]:
    counts = []
    for written, right in zip(_runs(answer), _runs(reference), strict=True):
        matched = sum(min(count, right[run]) for run, count in written.items() if run in right)
        # Where the reference is shorter than a run, sacrebleu counts no runs of the answer either.
        counts += [sum(written.values()) if right else 0, sum(right.values()), matched]
    return counts


def _runs(text: str) -> list[dict[str, int]]:
    """Return how often each run of characters stands in the text, for each order."""
    return list(extract_all_char_ngrams(text, ORDERS))
