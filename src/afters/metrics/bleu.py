"""BLEU (Papineni et al., 2002) as sacrebleu counts it."""

from __future__ import annotations

from typing import Final

import numpy as np
from sacrebleu import __version__ as sacrebleu_version
from sacrebleu.metrics import BLEU
from sacrebleu.metrics.bleu import BLEUScore

from afters.metrics.answers import answered
from afters.metrics.metric import Array
from afters.records import Case, Direction, Kind, Row

ORDERS: Final = 4
"""BLEU looks at runs of one to four words."""


class Bleu:
    """Corpus BLEU from 0 to 100, equal to `sacrebleu.corpus_bleu` with its default settings.

    An Example's references are all used: a run of words counts as often as in the reference that has it most
    often, and the reference closest in length decides the brevity penalty. A Case whose references are all empty
    cannot be judged.
    """

    name = "bleu"
    names: tuple[str, ...] = ("bleu",)
    kind: Kind = "corpus"
    direction: Direction = "higher"
    chance: float | None = None

    def __init__(self) -> None:
        # The effective order changes no count; it only keeps sacrebleu from warning about single sentences.
        self._counter = BLEU(effective_order=True)
        self.signature = (
            f"case:mixed|eff:no|tok:{self._counter.tokenizer_signature}|smooth:exp|version:{sacrebleu_version}"
        )

    def observe(self, case: Case) -> Row | None:
        """Return matching runs and all runs of 1 to 4 words, words written, words of the closest reference."""
        pairs = answered(case)
        if pairs is None or not all(any(example.references) for example, _ in pairs):
            return None
        counted = [self._counter.sentence_score(answer, example.references) for example, answer in pairs]
        return tuple(np.sum([_statistics(score) for score in counted], axis=0).tolist())

    def from_totals(self, totals: Array) -> Array:
        """Return BLEU from summed counts of shape (replicates, 10); the result has shape (replicates, 1).

        An order without a match counts as half a match, the next one without as a quarter, and so on (NIST's
        smoothing, sacrebleu's "exp"); where nothing matches at all, or an order has no runs, BLEU is 0.
        """
        matched, runs = totals[:, :ORDERS], totals[:, ORDERS : 2 * ORDERS]
        written, reference = totals[:, -2], totals[:, -1]
        halvings = np.cumsum(matched == 0, axis=1)
        smoothed = np.where(matched == 0, 0.5**halvings, matched)
        defined = (runs > 0).all(axis=1) & (matched > 0).any(axis=1)
        log_precisions = np.log(100.0 * smoothed / np.maximum(runs, 1.0))
        brevity = np.minimum(0.0, 1.0 - reference / np.maximum(written, 1.0))
        score = np.exp(brevity + log_precisions.mean(axis=1))
        return np.where(defined, score, 0.0)[:, None]


def _statistics(score: BLEUScore) -> list[float]:
    return [float(count) for count in (*score.counts, *score.totals, score.sys_len, score.ref_len)]
