"""Tables of sentences with open slots, one set for each side, and what is written from them.

A table is blocks of lines with an empty line between them; # begins a remark, | separates wordings, a line that begins
with ? may be left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from examples.base.generated.words import MATERIAL, Side, facts
from examples.base.slots import Chance, happens, pick, slots_of

Block = tuple[str, ...]

LEFT_OUT = 0.4
"""The share of draws in which a line that may be left out is."""


@cache
def blocks(name: str, side: Side) -> tuple[Block, ...]:
    """Return the blocks of a side's table, each as its lines."""
    text = (MATERIAL / side / f"{name}.txt").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(tuple(block.strip().splitlines()) for block in kept.strip().split("\n\n"))


@cache
def lines(name: str, side: Side) -> tuple[str, ...]:
    """Return the lines of a table that has one block."""
    [block] = blocks(name, side)
    return block


def block(name: str, chance: Chance, side: Side) -> Block:
    """Return one block of a table."""
    found = blocks(name, side)
    return found[int(chance.integers(len(found)))]


def wording(line: str, chance: Chance) -> str:
    """Return one of a line's wordings.

    >>> import numpy as np
    >>> wording("It rained. | It was wet.", np.random.default_rng(0)) in ("It rained.", "It was wet.")
    True
    """
    return pick(chance, line.split(" | "))


def kept(found: Iterable[str], chance: Chance) -> list[str]:
    """Return the lines without their question marks, some of those that may be left out left out."""
    return [line.removeprefix("?") for line in found if not (line.startswith("?") and happens(chance, LEFT_OUT))]


def fill(texts: Sequence[str], chance: Chance, side: Side, *, known: Mapping[str, str] | None = None) -> list[str]:
    """Draw the slots that are not known and put in what was drawn; each text begins with a capital letter."""
    return filled(texts, drawn(texts, chance, side, known=known))


def drawn(
    texts: Sequence[str], chance: Chance, side: Side, *, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a value for every slot of the texts, those that are known first."""
    given = dict(known or {})
    new = facts([name for name in slots_of(texts) if name not in given], chance, side, besides=given.values())
    return {**given, **new}


def filled(texts: Iterable[str], values: Mapping[str, str]) -> list[str]:
    """Put the values into the slots; each text begins with a capital letter."""
    return [capital(text.format(**values)) for text in texts]


def capital(text: str) -> str:
    """Return the text with a capital letter at its beginning."""
    return text[:1].upper() + text[1:]
