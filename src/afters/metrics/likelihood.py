"""How well a model foresees a text: perplexity per token, bits per byte.

The text is a reference that is offered as a choice, so that the model is asked how probable it is. An Example whose
only choice is its reference asks just that; one with an empty prompt asks it of free text, with nothing before it.
"""

from __future__ import annotations

import math

import numpy as np

from afters.metrics.choices import right_places, weighed
from afters.metrics.metric import Array
from afters.records import Case, Direction, Kind, Row


class Perplexity:
    """How many tokens the model wavered between on average: e to the mean negative log-likelihood of a token.

    Its unit is the tokenizer's, which a Result's identity names: models with different tokenizers are not compared
    by it, but by `bits_per_byte`. Long texts count more than short ones.
    """

    name = "perplexity"
    names: tuple[str, ...] = ("perplexity",)
    kind: Kind = "corpus"
    direction: Direction = "lower"
    chance: float | None = None
    signature = "text:first_reference|per:token|tokenizer:identity|end_of_text:no|version:1"
    must_match: tuple[str, ...] = ("tokenizer",)

    def observe(self, case: Case) -> Row | None:
        """Return the nats and the tokens of the references, or None where no log-probability is known."""
        return _cost(case, tokens=True)

    def from_totals(self, totals: Array) -> Array:
        """Return the perplexity, shape (replicates, 1)."""
        return np.exp(totals[:, :1] / totals[:, 1:])


class BitsPerByte:
    """How many bits the model needs for a byte of the text, in UTF-8: its negative log-likelihood to the base 2.

    Whatever the tokenizer, so that any two models can be compared. Long texts count more than short ones.
    """

    name = "bits_per_byte"
    names: tuple[str, ...] = ("bits_per_byte",)
    kind: Kind = "corpus"
    direction: Direction = "lower"
    chance: float | None = None
    signature = "text:first_reference|per:utf8_byte|log:2|end_of_text:no|version:1"

    def observe(self, case: Case) -> Row | None:
        """Return the nats and the bytes of the references, or None where no log-probability is known."""
        return _cost(case, tokens=False)

    def from_totals(self, totals: Array) -> Array:
        """Return the bits per byte, shape (replicates, 1)."""
        return np.asarray(totals[:, :1] / (math.log(2) * totals[:, 1:]), dtype=np.float64)


def _cost(case: Case, *, tokens: bool) -> Row | None:
    """Return the nats of a Case's right choices, and their tokens or bytes; None when there are none to count."""
    nats, units = 0.0, 0
    for example, prediction, logs in weighed(case) or ():
        place = right_places(example)[0]
        nats -= logs[place]
        units += prediction.choices[place].tokens if tokens else len(example.choices[place].encode())
    return (nats, float(units)) if units else None
