"""A number that a file already carries for each Case, as a metric."""

from __future__ import annotations

from typing import Final

from afters.metrics.metric import Array, mean_from_totals
from afters.records import Case, Direction, Kind, Row

LOWER: Final = frozenset(
    {"bits_per_byte", "brier_score", "byte_perplexity", "ece", "error", "loss", "nll", "perplexity", "ter", "wer"}
    | {"cer", "word_perplexity"}
)
"""Scores of which less is better, by the names that lm-eval and others give them."""


class Column:
    """The mean of a column of a file; where each number is 0 or 1, the share of ones.

    Args:
        name: the column's.
        lower: whether less is better, which the file does not say; None to go by the name.
    """

    chance: float | None = None
    signature = "given:by the file"

    def __init__(self, name: str, *, lower: bool | None = None) -> None:
        self.name = name
        self.names: tuple[str, ...] = (name,)
        less = name.partition(",")[0] in LOWER if lower is None else lower
        self.direction: Direction = "lower" if less else "higher"
        # Numbers other than 0 and 1 are found out by whoever asks for proportions, and treated as what they are.
        self.kind: Kind = "binary"

    def observe(self, case: Case) -> Row | None:
        """Never asked: the number stands in the file."""
        raise AssertionError(f"{self.name} is read, not observed")

    def from_totals(self, totals: Array) -> Array:
        """Return the mean over Cases, shape (replicates, 1)."""
        return mean_from_totals(totals)
