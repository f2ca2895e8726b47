"""Translation edit rate (Snover et al., 2006) as sacrebleu counts it."""

from __future__ import annotations

import numpy as np
from sacrebleu import __version__ as sacrebleu_version
from sacrebleu.metrics import TER

from afters.metrics.answers import answered
from afters.metrics.metric import Array
from afters.records import Case, Direction, Kind, Row


class Ter:
    """Corpus TER, equal to `sacrebleu.corpus_ter` with its default settings: edits for 100 words of the reference.

    0 is a perfect answer, and more than 100 a possible one. An edit inserts, deletes or replaces a word, or moves a
    run of words. Of several references the one that needs the fewest edits counts, by the mean length of all.
    """

    name = "ter"
    names: tuple[str, ...] = ("ter",)
    kind: Kind = "corpus"
    direction: Direction = "lower"
    chance: float | None = None
    signature = f"case:lc|tok:tercom|norm:no|punct:yes|asian:no|version:{sacrebleu_version}"

    def __init__(self) -> None:
        self._counter = TER()

    def observe(self, case: Case) -> Row | None:
        """Return edits and words of the reference, or None when an answer is missing."""
        pairs = answered(case)
        if pairs is None:
            return None
        counted = [self._counter.sentence_score(answer, example.references) for example, answer in pairs]
        return float(sum(score.num_edits for score in counted)), float(sum(score.ref_length for score in counted))

    def from_totals(self, totals: Array) -> Array:
        """Return TER from sums of shape (replicates, 2); the result has shape (replicates, 1).

        Where the references have no word, anything written is 100 and nothing 0.
        """
        edits, words = totals[:, 0], totals[:, 1]
        rate = np.where(words > 0, edits / np.where(words > 0, words, 1), edits > 0)
        return 100 * rate[:, None]
