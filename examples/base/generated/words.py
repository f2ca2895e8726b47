"""The words that sentences leave open, dealt to two sides: a name or a thing that is taught is never judged with.

Half of the names are built from syllables, so that they can only be copied. Numbers, dates and times have no sides.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from examples.base import slots
from examples.base.slots import DAYS, PLACE_ENDS, Chance, happens, kind_of, pick

Side = Literal["taught", "judged"]

MATERIAL = Path(__file__).with_name("material")

NAMES = ("first names", "last names", "towns")
"""Pools of proper names, where a word may stand in two; it falls on the same side in both."""

Drawer = Callable[[Chance, Side], str]


def side_of(word: str) -> Side:
    """Return the side of a name, a made-up word or a number: one in five judges."""
    return "judged" if zlib.crc32(word.lower().encode()) % 5 == 0 else "taught"


@cache
def pools() -> dict[str, tuple[str, ...]]:
    """Return all members of each pool."""
    text = (MATERIAL / "pools.txt").read_text(encoding="utf-8")
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    found = {}
    for block in kept.strip().split("\n\n"):
        name, *lines = block.strip().splitlines()
        found[name.removesuffix(":")] = tuple(" ".join(lines).split(", "))
    return found


@cache
def pool(name: str, side: Side) -> tuple[str, ...]:
    """Return the members of a pool that stand on a side: of names by `side_of`, of others every fifth judges."""
    members = pools()[name]
    if name in NAMES:
        return tuple(member for member in members if side_of(member) == side)
    return tuple(member for place, member in enumerate(members) if (place % 5 == 2) == (side == "judged"))


def made_up(chance: Chance, side: Side) -> str:
    """Return a word of the side that hardly stands in any book."""
    word = slots.made_up(chance)
    return word if side_of(word) == side else made_up(chance, side)


def first_name(chance: Chance, side: Side) -> str:
    """Return a first name, made up half of the time."""
    return _name(chance, side, "first names")


def full_name(chance: Chance, side: Side) -> str:
    """Return a first and a last name."""
    return f"{first_name(chance, side)} {_name(chance, side, 'last names')}"


def person(chance: Chance, side: Side) -> str:
    """Return a first name, with a last name in a quarter of the draws."""
    return full_name(chance, side) if happens(chance, 0.25) else first_name(chance, side)


def town(chance: Chance, side: Side) -> str:
    """Return the name of a town."""
    if happens(chance, 0.5):
        return pick(chance, pool("towns", side))
    name = made_up(chance, side) + (pick(chance, PLACE_ENDS) if happens(chance, 0.5) else "")
    return name.capitalize() if side_of(name) == side else town(chance, side)


def place(chance: Chance, side: Side) -> str:
    """Return a town, or a spot in one."""
    name = town(chance, side)
    return f"{name} {pick(chance, pool('spots', side))}" if happens(chance, 0.35) else name


def firm(chance: Chance, side: Side) -> str:
    """Return the name of a company or another house."""
    return f"{_name(chance, side, 'last names')} {pick(chance, pool('firms', side))}"


def thing(chance: Chance, side: Side) -> str:
    """Return something one can hold, without an article; never begins with a vowel."""
    noun = made_up(chance, side) if happens(chance, 0.1) else pick(chance, pool("nouns", side))
    if noun[0] in "aeiou":
        return thing(chance, side)
    return f"{pick(chance, pool('qualities', side))} {noun}" if happens(chance, 0.6) else noun


def errand(chance: Chance, side: Side) -> str:
    """Return what somebody may be asked to do with a thing, as it stands after `to`."""
    done = f"{pick(chance, pool('errand verbs', side))} the {thing(chance, side)}"
    tail = pick(chance, ("", "", "", " for {first}", " in {town}", " before {weekday}", " with {first}", " in {room}"))
    drawn = {name: draw(name, chance, side) for name in slots.slots_of([tail])}
    return done + tail.format(**drawn)


def email(chance: Chance, side: Side) -> str:
    """Return an address that belongs to nobody."""
    return f"{made_up(chance, side)}@example.{pick(chance, ('com', 'org', 'net'))}"


def small_number(chance: Chance, side: Side) -> str:
    """Return a number from 2 to 20."""
    return str(2 + int(chance.integers(19)))


def age(chance: Chance, side: Side) -> str:
    """Return the age of a grown person."""
    return str(18 + int(chance.integers(70)))


def _name(chance: Chance, side: Side, name: str) -> str:
    return made_up(chance, side).capitalize() if happens(chance, 0.5) else pick(chance, pool(name, side))


def _of(name: str) -> Drawer:
    return lambda chance, side: pick(chance, pool(name, side))


def _same(drawer: Callable[[Chance], str]) -> Drawer:
    return lambda chance, side: drawer(chance)


DRAWERS: dict[str, Drawer] = {
    **{"person": person, "first": first_name, "name": full_name, "town": town, "place": place, "firm": firm},
    **{"thing": thing, "errand": errand, "word": made_up, "email": email, "few": small_number, "age": age},
    **{"amount": _same(slots.amount), "number": _same(slots.number), "code": _same(slots.code)},
    **{"date": _same(slots.date), "day": _same(slots.day), "time": _same(slots.time), "phone": _same(slots.phone)},
    "weekday": _same(lambda chance: pick(chance, DAYS)),
    **{"room": _of("rooms"), "meal": _of("meals"), "club": _of("clubs"), "pet": _of("pets"), "job": _of("jobs")},
    **{"subject": _of("subjects"), "illness": _of("illnesses"), "cure": _of("cures"), "hobby": _of("hobbies")},
    **{"duty": _of("duties"), "wish": _of("wishes"), "advice": _of("advice"), "reason": _of("reasons")},
    **{"praise": _of("praise"), "blame": _of("blame"), "weather": _of("weathers"), "dish": _of("dishes")},
    **{"food": _of("foods"), "vehicle": _of("vehicles"), "relative": _of("relatives")},
}
"""What draws each kind of slot."""


def draw(name: str, chance: Chance, side: Side) -> str:
    """Return a value for a slot: `person3` draws a person, and so do the speakers `a` and `b`."""
    return DRAWERS[kind_of(name)](chance, side)


def facts(names: Iterable[str], chance: Chance, side: Side, *, besides: Iterable[str] = ()) -> dict[str, str]:
    """Return a value for each slot; no two, nor one of those `besides`, share a name or a number, or are the same."""
    drawn: dict[str, str] = {}
    taken = {mark for value in besides for mark in _marks(value)}
    for name in names:
        value = draw(name, chance, side)
        while _marks(value) & taken:
            value = draw(name, chance, side)
        drawn[name] = value
        taken |= _marks(value)
    return drawn


def _marks(value: str) -> set[str]:
    """Return what two values may not share: names, numbers; or all of what has none."""
    return {word for word in value.split() if not word.islower()} or {value}
