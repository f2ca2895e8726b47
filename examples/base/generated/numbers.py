"""Sorting, and small sums: as they stand, and in a story."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from examples.base.generated.texts import drawn, filled, lines, wording
from examples.base.generated.words import Side, facts, made_up, pool, side_of
from examples.base.slots import DAYS, MONTHS, Chance, happens, pick

Row = dict[str, str]

SIGNS = {"plus": "+", "minus": "-", "times": "×"}

COUNT: dict[Side, tuple[int, int]] = {"taught": (3, 7), "judged": (4, 6)}
"""How many things are sorted, at least and at most."""


class Order(NamedTuple):
    """A way to sort, what it is called, and what is sorted."""

    told: str
    draw: Callable[[Chance, Side, int], list[str]]
    """Returns so many different things, in order."""


def sorting(chance: Chance, side: Side) -> Row:
    """Some things in disorder, how they are to be sorted, and the same in order."""
    order = ORDERS[int(chance.integers(len(ORDERS)))]
    fewest, most = COUNT[side]
    items = order.draw(chance, side, fewest + int(chance.integers(most - fewest + 1)))
    told, backwards = order.told, happens(chance, 0.3)
    if backwards:
        items, told = items[::-1], f"{order.told}, backwards"
    shuffled = [items[place] for place in chance.permutation(len(items))]
    # Teaching rows are laid out in many ways, judging rows in one that is not among them.
    mark = " / " if side == "judged" else pick(chance, (", ", "; ", "\n", " "))
    if mark == " " and any(" " in item for item in items):
        mark = ", "
    return {"text": mark.join(shuffled), "order": told, "answer": ", ".join(items)}


def _different(make: Callable[[], str], count: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        found[make()] = None
    return list(found)


def _small(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: str(_of_side(chance, side, 1, 100)), count), key=int)


def _large(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: str(_of_side(chance, side, 100, 10_000)), count), key=int)


def _of_side(chance: Chance, side: Side, low: int, high: int) -> int:
    number = int(chance.integers(low, high))
    return number if side_of(str(number)) == side else _of_side(chance, side, low, high)


def _words(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: made_up(chance, side)[:8], count))


def _names(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: pick(chance, pool("first names", side)), count))


def _nouns(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: pick(chance, pool("nouns", side)), count))


def _days(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: pick(chance, DAYS), min(count, len(DAYS))), key=DAYS.index)


def _months(chance: Chance, side: Side, count: int) -> list[str]:
    return sorted(_different(lambda: pick(chance, MONTHS), count), key=MONTHS.index)


def _prices(chance: Chance, side: Side, count: int) -> list[str]:
    return [f"£{number}" for number in _small(chance, side, count)]


def _ages(chance: Chance, side: Side, count: int) -> list[str]:
    names = [*facts([f"first{number}" for number in range(count)], chance, side).values()]
    return [f"{name} ({age})" for name, age in zip(names, _small(chance, side, count), strict=True)]


ORDERS = (
    *(Order("from small to large", _small), Order("from the lowest number to the highest", _large)),
    *(Order("in the order of the alphabet", _words), Order("by the alphabet", _names)),
    *(Order("alphabetically", _nouns), Order("in the order of the week", _days)),
    *(Order("in the order of the year", _months), Order("from cheap to dear", _prices)),
    Order("from young to old", _ages),
)


def arithmetic(chance: Chance, side: Side) -> Row:
    """A small sum, as it stands or in a story, and its result. No pair of numbers is on both sides."""
    sign = pick(chance, tuple(SIGNS))
    first, second, result = _pair(chance, side, sign)
    known = {"x": str(first), "y": str(second), "sign": SIGNS[sign], "word": sign}
    if happens(chance, 0.4):
        text = wording(pick(chance, lines("sums", side)), chance)
    else:
        shapes = [line.split(": ", 1)[1] for line in lines("problems", side) if line.startswith(f"{sign}: ")]
        text = wording(pick(chance, shapes), chance)
    values = drawn([text], chance, side, known=known)
    return {"text": filled([text], values)[0], "answer": str(result)}


def _pair(chance: Chance, side: Side, sign: str) -> tuple[int, int, int]:
    high = 11 if sign == "times" else 50
    first, second = int(chance.integers(2, high)), int(chance.integers(2, high))
    first, second = max(first, second), min(first, second)
    if side_of(f"{sign} {first} {second}") != side or (sign == "minus" and first == second):
        return _pair(chance, side, sign)
    return first, second, {"plus": first + second, "minus": first - second, "times": first * second}[sign]
