"""Dialogues of everyday life, of six to twenty turns, with a summary in reported speech and a title."""

from __future__ import annotations

import re
from typing import NamedTuple

from examples.base import tables
from examples.base.generated.texts import Block, block, blocks, capital, drawn, filled, kept
from examples.base.generated.words import Side, first_name, full_name, made_up
from examples.base.slots import SLOT, Chance, happens, pick, slots_of

GIST, TITLE = "=> ", "= "
"""What stands before the lines that say what an exchange comes to, and what it is about."""

FEWEST, MOST = 6, 20
"""Turns of a dialogue."""

LABELS: dict[Side, tuple[tuple[str, str], ...]] = {
    "taught": (
        *(("A", "B"), ("Man", "Woman"), ("W", "M"), ("Speaker A", "Speaker B"), ("Voice 1", "Voice 2")),
        *(("P2", "P1"), ("<left>", "<right>"), ("*he*", "*she*"), ("[guest]", "[host]"), ("First", "Second")),
    ),
    "judged": (("X", "Y"), ("One", "Other"), ("Talker-1", "Talker-2"), ("(young)", "(old)")),
}
"""Who speaks where names are not told."""

SAID = re.compile(r"(?<=: )[a-z]")
"""Where a turn begins with a small letter."""

IN_STEP = 0.5
"""The share of exchanges in which all turns take wordings of the same place, which go together best."""

LIVELY = 0.25
"""The share of turns with an interjection."""

LINKS = ("", "", "", "Then ", "Later ")
"""Before what a second exchange comes to."""


class Exchange(NamedTuple):
    """What two people say about one matter; slots still open."""

    turns: list[str]
    gist: str
    title: str
    """Empty where it has none."""


class Dialogue(NamedTuple):
    """A whole dialogue."""

    turns: tuple[str, ...]
    summary: str
    title: str

    @property
    def text(self) -> str:
        """The turns, each on its own line."""
        return "\n".join(self.turns)


def dialogue(chance: Chance, side: Side, *, matters: int | None = None) -> Dialogue:
    """Return a dialogue about one to four matters, or so many, with small talk that the summary leaves out."""
    exchanges = _exchanges(chance, side, count=matters or int(chance.choice((1, 2, 2, 3, 4))))
    turns = _chat(chance, side, "openings", 0.5)
    for exchange in exchanges:
        turns += [*_chat(chance, side, "smalltalk", 0.35), *exchange.turns]
    turns += [*_chat(chance, side, "smalltalk", 0.2), *_chat(chance, side, "closings", 0.6)]
    turns = [_livened(turn, chance, side) for turn in _apart(turns)]
    if not FEWEST <= len(turns) <= MOST:
        return dialogue(chance, side, matters=matters)
    gists = [exchange.gist for exchange in exchanges]
    linked = [gists[0], *(pick(chance, LINKS) + gist for gist in gists[1:])]
    title = exchanges[0].title
    values = drawn([*turns, *gists, title], chance, side, known=_speakers(chance, side))
    said = tuple(SAID.sub(lambda found: found[0].upper(), turn, count=1) for turn in filled(turns, values))
    return Dialogue(said, " ".join(filled(linked, values)), *filled([title], values))


def _exchanges(chance: Chance, side: Side, *, count: int) -> list[Exchange]:
    """Draw different matters, each with things and people of its own, but for the two who speak."""
    every = _every(side)
    found = [_worded(every[place], chance) for place in chance.permutation(len(every))[:count]]
    return [
        Exchange(
            [_numbered(_turned(turn, turned), number) for turn in exchange.turns],
            _numbered(_turned(exchange.gist, turned), number),
            _numbered(_turned(exchange.title, turned), number),
        )
        for number, (exchange, turned) in enumerate([(one, happens(chance, 0.5)) for one in found], 1)
    ]


def _every(side: Side) -> tuple[Block, ...]:
    """Return all exchanges of a side; the older conversations teach too."""
    older = tables.blocks("conversations") if side == "taught" else ()
    return (*blocks("exchanges", side), *blocks("acts", side), *older)


def _worded(found: Block, chance: Chance) -> Exchange:
    """Choose wordings, and a gist and a title that say nothing more than the turns; anew where there is none."""
    said = kept([line for line in found if not line.startswith((GIST, TITLE))], chance)
    step = int(chance.integers(3)) if happens(chance, IN_STEP) else None
    turns = [_turn(line, chance, step=step) for line in said]
    gists = _fitting(found, GIST, turns)
    titles = _fitting(found, TITLE, turns)
    has_title = any(line.startswith(TITLE) for line in found)
    if not gists or (has_title and not titles):
        return _worded(found, chance)
    return Exchange(turns, pick(chance, gists), pick(chance, titles) if titles else "")


def _fitting(found: Block, mark: str, turns: list[str]) -> list[str]:
    known = {"a", "b", *slots_of(turns)}
    told = [text for line in found if line.startswith(mark) for text in line.removeprefix(mark).split(" | ")]
    return [text for text in told if known.issuperset(slots_of([text]))]


def _turn(line: str, chance: Chance, *, step: int | None = None) -> str:
    """Return a wording of a line, with a slot for who speaks; the wording at a place, where one is told."""
    speaker, wordings = line[:1].lower(), line[3:].split(" | ")
    return f"{{{speaker}}}: {pick(chance, wordings) if step is None else wordings[step % len(wordings)]}"


def _chat(chance: Chance, side: Side, name: str, share: float) -> list[str]:
    """Return small talk in a share of the draws; either of the two begins."""
    if not happens(chance, share):
        return []
    turned = happens(chance, 0.5)
    # What is said besides has people and things of its own.
    number = 90 + int(chance.integers(900))
    turns = [_turn(line, chance) for line in block(name, chance, side)]
    return [_numbered(_turned(turn, turned), number) for turn in turns]


def _livened(turn: str, chance: Chance, side: Side) -> str:
    """Put something that means little before or after a turn, in a share of the draws."""
    if not happens(chance, LIVELY):
        return turn
    before, after = blocks("interjections", side)
    speaker, said = turn.split(": ", 1)
    if happens(chance, 0.6):
        return f"{speaker}: {pick(chance, before)} {capital(said)}"
    return f"{turn} {pick(chance, after)}"


def _apart(turns: list[str]) -> list[str]:
    """Join what one person says twice in a row into one turn."""
    joined: list[str] = []
    for turn in turns:
        speaker, said = turn.split(": ", 1)
        if joined and joined[-1].startswith(f"{speaker}: "):
            joined[-1] = f"{joined[-1]} {said}"
        else:
            joined.append(turn)
    return joined


def _turned(text: str, turned: bool) -> str:
    """Let each of the two stand for the other."""
    if not turned:
        return text
    return text.replace("{a}", "{other}").replace("{b}", "{a}").replace("{other}", "{b}")


def _numbered(text: str, number: int) -> str:
    """Give the slots names of their own: `{thing2}` becomes `{thing20001}` in the first exchange."""
    return SLOT.sub(lambda found: found[0] if found[1] in ("a", "b") else f"{{{found[1]}{number:04d}}}", text)


def _speakers(chance: Chance, side: Side) -> dict[str, str]:
    kind = chance.random()
    if kind < 0.2:
        first, second = LABELS[side][int(chance.integers(len(LABELS[side])))]
        return {"a": first, "b": second}
    if kind < 0.25:
        root = made_up(chance, side).capitalize()
        return {"a": f"{root}1", "b": f"{root}2"}
    name = full_name if kind < 0.35 else first_name
    first, second = name(chance, side), name(chance, side)
    same = set(re.findall(r"\w+", first)) & set(re.findall(r"\w+", second))
    return _speakers(chance, side) if same else {"a": first, "b": second}
