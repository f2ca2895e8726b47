"""LanguageModel: all that judging needs. No torch here, so that a proof runs without it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Protocol

from afters.records import Decoding, Example, Prediction


class LanguageModel(Protocol):
    """Answers Examples, and says how probable their choices are.

    Batches are a function of `examples` and the model's token budget alone. `done` names the ids whose answers
    are already known: a batch is skipped when all of it is done, and asked whole otherwise, so that an
    interrupted judging gives the same answers as one that ran through.
    """

    identity: Mapping[str, str]
    """Hashes and settings that tell this model from any other: weights, adapter, tokenizer, precision."""

    def generate(
        self, examples: Sequence[Example], decoding: Decoding, *, done: Container[str] = ()
    ) -> Iterator[list[Prediction]]:
        """Yield the written answers, a batch at a time."""
        ...

    def loglikelihood(self, examples: Sequence[Example], *, done: Container[str] = ()) -> Iterator[list[Prediction]]:
        """Yield the log-probabilities of every Example's choices, a batch at a time."""
        ...
