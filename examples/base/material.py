"""The tables in `material/`, read and drawn from: conversations, reports, letters, events, topics, feelings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

from examples.base.slots import Chance, facts, happens, kind_of, pick, slots_of

FOLDER = Path(__file__).parent / "material"
SUMMARY = "=> "


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


@cache
def blocks(name: str) -> tuple[tuple[str, ...], ...]:
    """Return a table's blocks of lines; an empty line parts them, a line with # is a remark."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return tuple(tuple(block.strip().splitlines()) for block in kept.split("\n\n"))


def conversation(chance: Chance, *, plans: int = 1, small_talk: int = 0) -> Told:
    """Return what two friends say about one or two plans, with small talk in between, and its summary."""
    turns: list[str] = []
    gists: list[str] = []
    for number in range(plans):
        spoken, gist = _drawn(chance, _any(chance, "conversations.txt"))
        if number:  # a second plan has its own things and people, but for the two who speak, of whom either begins
            spoken, gist = [_renumbered(line) for line in spoken], _renumbered(gist)
        if happens(chance, 0.5):
            spoken, gist = [_swapped(turn) for turn in spoken], _swapped(gist)
        turns += spoken
        gists.append(gist)
    for _ in range(small_talk):
        place = int(chance.integers(len(turns) + 1))
        turns[place:place] = _chat(chance, "smalltalk.txt")
    if happens(chance, 0.4):
        turns += _chat(chance, "closings.txt")
    return _filled(chance, turns, " ".join(gists))


def report(chance: Chance) -> Told:
    """Return a short report and its headline."""
    lines, gist = _drawn(chance, _any(chance, "reports.txt"))
    told = _filled(chance, [" ".join(lines)], gist)
    return told._replace(gist=told.gist[0].upper() + told.gist[1:])


def letter(chance: Chance) -> tuple[Told, dict[str, str]]:
    """Return a letter, whose gist is the form it fills, and that form as label and value."""
    lines, form = _drawn(chance, _any(chance, "letters.txt"))
    labels = dict(field.split(" = ") for field in _all_of(form))
    order = [lines[index] for index in chance.permutation(len(lines))]
    head, foot = ["Dear {person8},"], ["Yours,", "{person9}"]
    told = _filled(chance, [*head, " ".join(order), *foot], "")
    form = {label: told.drawn[slot] for label, slot in labels.items() if told.drawn.get(slot, "\0") in told.text}
    return told._replace(gist="\n".join(f"{label}: {value}" for label, value in form.items())), form


def labelled(chance: Chance, name: str) -> tuple[str, str, tuple[str, ...]]:
    """Return a sentence of a table of `label: sentence | sentence`, its label, and all labels there are."""
    [table] = blocks(name)
    labels = tuple(line.split(": ", 1)[0] for line in table)
    label, sentences = pick(chance, table).split(": ", 1)
    sentence = pick(chance, sentences.split(" | "))
    return _filled(chance, [sentence], "").text, label, labels


def _any(chance: Chance, name: str) -> tuple[str, ...]:
    table = blocks(name)
    return table[int(chance.integers(len(table)))]


def _all_of(line: str) -> list[str]:
    return line.removeprefix(SUMMARY).split(" | ")


def _drawn(chance: Chance, block: Sequence[str]) -> tuple[list[str], str]:
    """Choose a wording of each line, and of those gists that say nothing the lines do not; draw again if none."""
    while True:
        chosen = [_worded(chance, line) for line in block if not line.startswith(SUMMARY)]
        lines = [line for line in chosen if line]
        known = {"a", "b", *slots_of(lines)}
        ends = [line for line in block if line.startswith(SUMMARY)]
        if not ends:
            return lines, ""
        if " = " in ends[0]:
            return lines, ends[0]
        gists = [gist for gist in _all_of(ends[0]) if known.issuperset(slots_of([gist]))]
        if gists:
            return lines, pick(chance, gists)


def _worded(chance: Chance, line: str) -> str:
    """Return one of the line's wordings with its speaker, or nothing for a line that may be left out."""
    if line.startswith("?") and happens(chance, 0.5):
        return ""
    line = line.removeprefix("?")
    speaker = line[:3] if line[1:3] == ": " else ""
    wording = pick(chance, line.removeprefix(speaker).split(" | ")).removeprefix("?")
    return f"{{{speaker[0].lower()}}}: {wording}" if speaker else wording


def _chat(chance: Chance, name: str) -> list[str]:
    """Return a block of small talk; either of the two begins."""
    turns, _ = _drawn(chance, _any(chance, name))
    return [_swapped(turn) for turn in turns] if happens(chance, 0.5) else turns


def _swapped(line: str) -> str:
    """Let each of the two speak for the other."""
    return line.replace("{a}", "{other}").replace("{b}", "{a}").replace("{other}", "{b}")


def _renumbered(line: str) -> str:
    """Give the slots of a second plan names of their own."""
    for name in slots_of([line]):
        if name not in ("a", "b"):
            line = line.replace(f"{{{name}}}", f"{{{name}5}}")
    return line


def _filled(chance: Chance, lines: Sequence[str], gist: str) -> Told:
    drawn = facts(slots_of([*lines, gist]), chance)
    return Told(tuple(line.format(**drawn) for line in lines), gist.format(**drawn), drawn)
