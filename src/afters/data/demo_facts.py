"""The facts of a demo chat: people, dates, amounts, times, numbers; and the slips that customers make.

The judging side has people and amounts that the teaching side has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np

from afters.data.demo_words import Names

PENCE = ("20", "40", "45", "49", "50", "60", "75", "80", "85", "90", "95", "99")

JUDGING_POUNDS = 3
"""Amounts whose whole pounds are a multiple of this are the judging side's; all others are the teaching side's."""

MONTHS = """January February March April May June July August September October November December""".split()

SLIPS = 8
"""How many values are drawn for a slip; the one that looks most like the right value is taken."""

FIRST_DAY = date(2025, 1, 1)
"""No year is ever said; this one and the next have no 29 February."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What a draw depends on."""

    generator: np.random.Generator
    judging: bool
    """Whether the row is of the judging side."""

    def below(self, count: int) -> int:
        """Return a number from 0 to `count` - 1."""
        return int(self.generator.integers(count))

    def between(self, bounds: Sequence[int]) -> int:
        """Return a number from the first to the second of `bounds`, both included."""
        return bounds[0] + self.below(bounds[1] - bounds[0] + 1)

    def one_of(self, pool: Sequence[str]) -> str:
        """Return one of `pool`."""
        return pool[self.below(len(pool))]

    def happens(self, share: float) -> bool:
        """Return True in about `share` of the draws."""
        return bool(self.generator.random() < share)


class Slip(NamedTuple):
    """A wrong value that is corrected, as the customer says both."""

    full: str
    """The wrong value as it is first said: "12 May"."""
    wrong: str
    """The same in the correction: "the 12th"."""
    right: str
    """The right value in the correction: "the 14th"."""


def person(chance: Chance, *, names: Names) -> tuple[str, str]:
    """Return a first and a last name."""
    return chance.one_of(names.first), chance.one_of(names.last)


def a_day(chance: Chance) -> date:
    """Return the day on which a chat is held."""
    return FIRST_DAY + timedelta(days=chance.below(365))


def written(day: date) -> str:
    """Return the day as the chats write it.

    >>> written(date(2025, 5, 4))
    '4 May'
    """
    return f"{day.day} {MONTHS[day.month - 1]}"


def fact(kind: Mapping[str, Any], *, today: date, chance: Chance) -> str:
    """Return a fact of that kind, which is one entry of `KINDS` and its argument."""
    ((name, argument),) = kind.items()
    return KINDS[name](argument, today, chance)


def slip(right: str, *, kind: Mapping[str, Any], today: date, chance: Chance) -> Slip:
    """Return a wrong value that a customer might say first instead of `right`."""
    if "days" in kind:
        return _slip_of_days(right, bounds=kind["days"], today=today, chance=chance)
    others = {fact(kind, today=today, chance=chance) for _ in range(SLIPS)} - {right}
    if not others:
        return slip(right, kind=kind, today=today, chance=chance)
    wrong = max(sorted(others), key=lambda other: sum(map(str.__eq__, other, right)))
    return Slip(wrong, wrong, right)


def shortened(number: str, *, chance: Chance) -> str:
    """Return the number as somebody types it who leaves out one of its inner digits."""
    place = 1 + chance.below(len(number) - 2)
    return number[:place] + number[place + 1 :]


def _slip_of_days(right: str, *, bounds: Sequence[int], today: date, chance: Chance) -> Slip:
    """Return a day within four days of the right one, and never on the other side of today."""
    day = next(day for ahead in range(bounds[0], bounds[1] + 1) if written(day := today + timedelta(ahead)) == right)
    back = bounds[0] < 0 or chance.happens(0.5)
    other = day + timedelta(days=chance.between((1, 4)) * (-1 if back else 1))
    if other.month != day.month:
        return Slip(written(other), written(other), right)
    return Slip(written(other), f"the {_ordinal(other.day)}", f"the {_ordinal(day.day)}")


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def _days(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return written(today + timedelta(days=chance.between(bounds)))


def _month(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return MONTHS[(today.month - 1 + chance.between(bounds)) % 12]


def _whole_pounds(bounds: Sequence[int], chance: Chance) -> int:
    """Return pounds of the chance's side; `bounds` may have the step as its third number."""
    pool = range(bounds[0], bounds[1] + 1, *bounds[2:])
    own = [pounds for pounds in pool if (pounds % JUDGING_POUNDS == 0) == chance.judging]
    return own[chance.below(len(own))]


def _pounds(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return f"£{_whole_pounds(bounds, chance):,}"


def _amount(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return f"£{_whole_pounds(bounds, chance):,}.{chance.one_of(PENCE)}"


def _hours(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return f"{chance.between(bounds)}:{15 * chance.below(4):02d}"


def _whole(bounds: Sequence[int], today: date, chance: Chance) -> str:
    return str(chance.between(bounds))


def _of(pool: Sequence[str], today: date, chance: Chance) -> str:
    return chance.one_of(pool)


def _at(streets: Sequence[str], today: date, chance: Chance) -> str:
    return f"{chance.between((3, 98))} {chance.one_of(streets)}"


KINDS: Mapping[str, Callable[[Any, date, Chance], str]] = {
    "days": _days,
    "month": _month,
    "pounds": _pounds,
    "amount": _amount,
    "hours": _hours,
    "whole": _whole,
    "of": _of,
    "at": _at,
}
