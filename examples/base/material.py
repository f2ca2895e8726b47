"""Texts drawn from the tables: conversations, reports, letters, single sentences, with what they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from examples.base.slots import Chance, facts, happens, kind_of, pick, slots_of
from examples.base.tables import Block, blocks

GIST = "=> "
"""What stands before the line that says what a block comes to."""

FORM = "==> "
"""What stands before the line of labels and slots, where a block has both."""

SPEAKERS = (
    ("A", "B"),
    ("Man", "Woman"),
    ("She", "He"),
    ("Visitor", "Host"),
    ("First voice", "Second voice"),
    ("Passenger", "Neighbour"),
)
"""Who speaks where names are not told at once."""


class Told(NamedTuple):
    """A text with what was drawn for it, and what it comes to."""

    lines: tuple[str, ...]
    gist: str
    drawn: dict[str, str]

    @property
    def text(self) -> str:
        """The lines, each on its own."""
        return "\n".join(self.lines)

    def values(self, kind: str) -> list[str]:
        """Return what of `kind` stands in the text, in the order in which it first comes."""
        found = [value for name, value in self.drawn.items() if kind_of(name) == kind and value in self.text]
        return sorted(found, key=self.text.index)


def conversation(chance: Chance, *, plans: int = 1, small_talk: int = 0) -> Told:
    """Return what two friends say about one or two plans, with small talk in between, and its summary."""
    turns: list[str] = []
    gists: list[str] = []
    for plan in range(plans):
        spoken, gist = _worded(chance, _any(chance, "conversations"))
        if plan:  # things and people of its own, but for the two who speak
            spoken, gist = [_renumbered(line) for line in spoken], _renumbered(gist)
        if happens(chance, 0.5):
            spoken, gist = [_swapped(line) for line in spoken], _swapped(gist)
        turns += spoken
        gists.append(gist)
    for _ in range(small_talk):
        place = int(chance.integers(len(turns) + 1))
        turns[place:place] = _chat(chance, "smalltalk")
    if happens(chance, 0.4):
        turns += _chat(chance, "closings")
    return _filled(chance, turns, " ".join(gists))


def report(chance: Chance) -> Told:
    """Return a short report, whose gist is its headline."""
    lines, gist = _worded(chance, _any(chance, "reports"))
    told = _filled(chance, [" ".join(lines)], gist)
    return told._replace(gist=told.gist[0].upper() + told.gist[1:])


def letter(chance: Chance) -> tuple[Told, dict[str, str]]:
    """Return a letter, whose gist is the form it fills, and that form as label and value."""
    *lines, form = _any(chance, "letters")
    body, _ = _worded(chance, tuple(lines))
    order = [body[index] for index in chance.permutation(len(body))]
    told = _filled(chance, ["Dear {person8},", " ".join(order), "Yours,", "{person9}"], "")
    labels = dict(field.split(" = ") for field in _alternatives(form))
    fields = {label: told.drawn[slot] for label, slot in labels.items() if slot in told.drawn}
    return told._replace(gist="\n".join(f"{label}: {value}" for label, value in fields.items())), fields


def meeting(chance: Chance) -> tuple[Told, dict[str, str]]:
    """Return what two strangers say when they meet, with its gist, and the form that it fills."""
    *block, form = _any(chance, "meetings")
    lines, gist = _worded(chance, tuple(block))
    labels = dict(field.split(" = ") for field in form.removeprefix(FORM).split(" | "))
    first, second = SPEAKERS[int(chance.integers(len(SPEAKERS)))]
    lines = [line.replace("{a}", first).replace("{b}", second) for line in lines]
    told = _filled(chance, lines, gist)
    return told, {label: told.drawn[slot] for label, slot in labels.items() if slot in told.drawn}


def labelled(chance: Chance, name: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a sentence of a table of `label: sentence | sentence`, its label, and all labels there are."""
    [table] = blocks(name)
    labels = tuple(line.split(": ", 1)[0] for line in table)
    label, sentences = pick(chance, table).split(": ", 1)
    return _filled(chance, [pick(chance, _alternatives(sentences))], "").text, label, labels


def _any(chance: Chance, name: str) -> Block:
    table = blocks(name)
    return table[int(chance.integers(len(table)))]


def _alternatives(line: str) -> list[str]:
    return line.removeprefix(GIST).split(" | ")


def _worded(chance: Chance, block: Block) -> tuple[list[str], str]:
    """Choose a wording of each line and a gist that says nothing more than the lines; anew when there is none."""
    lines = [_line(chance, line) for line in block if not line.startswith(GIST) and not _left_out(chance, line)]
    gists = [gist for line in block if line.startswith(GIST) for gist in _alternatives(line)]
    if not gists:
        return lines, ""
    known = {"a", "b", *slots_of(lines)}
    fitting = [gist for gist in gists if known.issuperset(slots_of([gist]))]
    return (lines, pick(chance, fitting)) if fitting else _worded(chance, block)


def _left_out(chance: Chance, line: str) -> bool:
    return line.startswith("?") and happens(chance, 0.5)


def _line(chance: Chance, line: str) -> str:
    """Return one of the line's wordings, with a slot for who speaks: `A: Hi! | Hello!` gives `{a}: Hi!`."""
    line = line.removeprefix("?")
    speaker = line[:3] if line.startswith(("A: ", "B: ")) else ""
    wording = pick(chance, _alternatives(line.removeprefix(speaker)))
    return f"{{{speaker[0].lower()}}}: {wording}" if speaker else wording


def _chat(chance: Chance, name: str) -> list[str]:
    """Return a block of small talk; either of the two begins."""
    turns, _ = _worded(chance, _any(chance, name))
    return [_swapped(turn) for turn in turns] if happens(chance, 0.5) else turns


def _swapped(line: str) -> str:
    """Let each of the two stand for the other."""
    return line.replace("{a}", "{other}").replace("{b}", "{a}").replace("{other}", "{b}")


def _renumbered(line: str) -> str:
    """Give the slots of a second plan names of their own."""
    for name in slots_of([line]):
        line = line if name in ("a", "b") else line.replace(f"{{{name}}}", f"{{{name}5}}")
    return line


def _filled(chance: Chance, lines: Sequence[str], gist: str) -> Told:
    drawn = facts(slots_of([*lines, gist]), chance)
    return Told(tuple(line.format(**drawn) for line in lines), gist.format(**drawn), drawn)
