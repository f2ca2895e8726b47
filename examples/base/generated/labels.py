"""Short texts with a label: whether somebody liked something, and what a text is about."""

from __future__ import annotations

from functools import cache

from examples.base.generated.texts import blocks, fill, lines, wording
from examples.base.generated.words import MATERIAL, Side
from examples.base.slots import Chance, happens, kind_of, pick, slots_of

FEELINGS = ("positive", "negative")

TOPICS = (
    *("sport", "weather", "food", "travel", "music", "money", "health", "gardening", "school", "law", "animals"),
    "computers",
)

TOPICS_JUDGED = 8
"""How many topics a judging row offers; teaching rows offer three to all."""

OTHER_NAMES = (("good", "bad"), ("happy", "unhappy"), ("recommended", "not recommended"), ("thumbs up", "thumbs down"))
"""What else the two feelings may be called, on the teaching side."""


@cache
def lexicon() -> dict[str, tuple[str, ...]]:
    """Return the words of each feeling and each topic."""
    text = (MATERIAL / "lexicon.txt").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found = {}
    for block in kept.strip().split("\n\n"):
        name, *members = block.strip().splitlines()
        found[name.removesuffix(":")] = tuple(" ".join(members).split(", "))
    return found


def sentiment(chance: Chance, side: Side) -> dict[str, object]:
    """One to three sentences about something, and whether the writer liked it."""
    feeling = int(chance.integers(2))
    tables = {head.removesuffix(":"): shapes for head, *shapes in blocks("reviews", side)}
    shapes = [wording(pick(chance, tables[FEELINGS[feeling]]), chance)]
    if happens(chance, 0.5):
        shapes.insert(int(chance.integers(2)), pick(chance, lines("plain", side)))
    words = {name: iter(_shuffled(name, chance)) for name in ("good", "bad", "joy", "anger")}
    known = {slot: next(words[kind_of(slot)]) for slot in slots_of(shapes) if kind_of(slot) in words}
    names = FEELINGS
    if side == "taught" and happens(chance, 0.3):
        names = OTHER_NAMES[int(chance.integers(len(OTHER_NAMES)))]
    text = " ".join(fill(shapes, chance, side, known=known))
    options = names if happens(chance, 0.5) else names[::-1]
    return {"text": text, "options": list(options), "answer": names[feeling]}


def topic(chance: Chance, side: Side) -> dict[str, object]:
    """One or two sentences, and what they are about, among some topics."""
    drawn = [TOPICS[place] for place in chance.permutation(len(TOPICS))]
    count = TOPICS_JUDGED if side == "judged" else 3 + int(chance.integers(len(TOPICS) - 2))
    options = drawn[:count]
    answer = pick(chance, options)
    shapes = lines("topics", side)
    chosen = [shapes[place] for place in chance.permutation(len(shapes))[: 1 + int(chance.integers(2))]]
    # Each sentence has words of its own.
    chosen = [shape.replace("}", f"{number}0}}") for number, shape in enumerate(chosen)]
    words = iter(_shuffled(answer, chance))
    known = {slot: next(words) for slot in slots_of(chosen) if kind_of(slot) == "k"}
    return {"text": " ".join(fill(chosen, chance, side, known=known)), "options": options, "answer": answer}


def _shuffled(name: str, chance: Chance) -> list[str]:
    members = lexicon()[name]
    return [members[place] for place in chance.permutation(len(members))]
