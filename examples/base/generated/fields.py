"""Facts of a message: to be filled into a form, and names, places, amounts and days to be found in sentences."""

from __future__ import annotations

from typing import NamedTuple

from examples.base.generated.texts import block, blocks, drawn, filled, lines, wording
from examples.base.generated.words import Side
from examples.base.slots import Chance, happens, kind_of, pick

Row = dict[str, str]

MISSING = 0.12
"""The share of forms with a label that the message tells nothing about."""

NOT_TOLD = "not told"


class Fact(NamedTuple):
    """One fact of a message."""

    labels: tuple[str, ...]
    slot: str
    sentences: tuple[str, ...]


def _facts(side: Side) -> list[Fact]:
    return [
        Fact(tuple(labels.split(" | ")), slot, tuple(sentences)) for labels, slot, *sentences in blocks("fields", side)
    ]


def form(chance: Chance, side: Side) -> Row:
    """A message with three to six facts, the labels of some of them, and those facts, a line each."""
    facts = _facts(side)
    order = chance.permutation(len(facts))
    told = [facts[place] for place in order[: 3 + int(chance.integers(4))]]
    absent = facts[order[-1]]
    sentences = [wording(pick(chance, fact.sentences), chance) for fact in told]
    hello, opening, goodbye = (wording(line.removeprefix("=> "), chance) for line in block("greetings", chance, side))
    body = [opening, *sentences] if happens(chance, 0.5) else sentences
    values = drawn([hello, *body], chance, side)
    asked = [told[place] for place in chance.permutation(len(told))[: 2 + int(chance.integers(3))]]
    if happens(chance, MISSING):
        asked.insert(int(chance.integers(len(asked) + 1)), absent)
    labels = [pick(chance, fact.labels) for fact in asked]
    if len(set(labels)) < len(labels):
        return form(chance, side)
    found = [values[fact.slot] if fact is not absent else NOT_TOLD for fact in asked]
    return {
        "text": "\n".join([hello, " ".join(filled(body, values)), goodbye]),
        "labels": ", ".join(labels),
        "answer": "\n".join(f"{label}: {value}" for label, value in zip(labels, found, strict=True)),
    }


KINDS = {
    "people": ("name", "person", "first"),
    "places": ("town", "place"),
    "companies": ("firm",),
    "amounts of money": ("amount",),
    "days": ("day", "date"),
}
"""What is looked for, and the slots that hold it."""

SINGULAR = {"people": "person", "places": "place", "companies": "company", "amounts of money": "amount", "days": "day"}

NONE = "none"


def entities(chance: Chance, side: Side) -> Row:
    """Two to four sentences, and all names of one kind in them, or all of them with their kinds."""
    every = lines("mentions", side)
    sentences = [
        _numbered(every[place], number)
        for number, place in enumerate(chance.permutation(len(every))[: 2 + int(chance.integers(3))])
    ]
    values = drawn(sentences, chance, side)
    text = " ".join(filled(sentences, values))
    present = sorted(
        ((text.index(value), value, _kind(slot)) for slot, value in values.items()), key=lambda one: one[0]
    )
    asked = pick(chance, (*KINDS, "people", "places", "all"))
    if asked == "all":
        answer = "; ".join(f"{value} ({SINGULAR[kind]})" for _, value, kind in present)
        return {"text": text, "kind": "names, amounts and days, each with what it is", "answer": answer}
    return {
        "text": text,
        "kind": asked,
        "answer": ", ".join(value for _, value, kind in present if kind == asked) or NONE,
    }


def _kind(slot: str) -> str:
    return next(kind for kind, slots in KINDS.items() if kind_of(slot) in slots)


def _numbered(sentence: str, number: int) -> str:
    """Give the slots of each sentence names of their own."""
    return sentence.replace("}", f"{number}0}}")
