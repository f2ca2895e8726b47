"""What a sentence leaves open: people, places, things, numbers, money, dates; drawn from large pools or made up.

Half of the names are built from syllables, so that they were never seen before. They can only be copied, piece by
piece, and that is what they are for.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from examples.base.tables import pool

Chance = np.random.Generator

ONSETS = "b br c ch cl cr d dr f fl g gl gr h j k kl l m n p pl pr qu r s sh sk sl st t th tr v w y z".split()
VOWELS = "a e i o u a e i o u ai ea ee ia io oa oo ou y".split()
CODAS = "ck d g k l ld ll m n nd ng nk nt p r rd rk rn rt s sk ss st t th v x z".split()
PLACE_ENDS = "ton ham ford bury field wick stead by worth mouth dale port".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
ENDINGS = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}
MINUTES = "00 05 10 15 20 25 30 40 45 50".split()

DATE_FORMS = (
    *("{d} {m}", "{m} {d}", "{d}{e} {m}", "the {d}{e} of {m}", "{d} {m} {y}", "{m} {d}, {y}"),
    *("{y}-{n:02d}-{d:02d}", "{d:02d}/{n:02d}/{y}", "{d}.{n}.{y}"),
)
TIME_FORMS = ("{h} {x}", "{h}{x}", "{h}:{m} {x}", "{l:02d}:{m}", "{h} o'clock", "{h}.{m}")
AMOUNT_FORMS = ("£{}", "£{}", "${}", "${}", "€{}", "€{}", "{} pounds", "{} euros", "{} dollars", "{} EUR")
CODE_FORMS = ("{0}{1}", "{0}-{1}", "#{1}", "{1}", "{1}-{2}", "{0}-{1}-{2}", "{1}{0}", "{0} {1}", "no. {1}", "{1}/{2}")


def pick(chance: Chance, members: Sequence[str]) -> str:
    """Return one of `members`."""
    return members[int(chance.integers(len(members)))]


def happens(chance: Chance, share: float) -> bool:
    """Return True in about `share` of the draws."""
    return bool(chance.random() < share)


def made_up(chance: Chance) -> str:
    """Return a word of one to three syllables that hardly stands in any book, in small letters."""
    count = int(chance.choice((1, 2, 2, 2, 3)))
    word = "".join(_syllable(chance, closed=0.6 if last else 0.25) for last in [False] * (count - 1) + [True])
    return word if not any(part in word for part in pool("unwanted")) else made_up(chance)


def person(chance: Chance) -> str:
    """Return a first name, with a last name in a quarter of the draws."""
    first = _half_made_up(chance, "first names")
    return f"{first} {_half_made_up(chance, 'last names')}" if happens(chance, 0.25) else first


def full_name(chance: Chance) -> str:
    """Return a first and a last name."""
    return f"{_half_made_up(chance, 'first names')} {_half_made_up(chance, 'last names')}"


def place(chance: Chance) -> str:
    """Return the name of a town or of a spot in one."""
    town = pick(chance, pool("towns"))
    if happens(chance, 0.5):
        town = made_up(chance).capitalize() + (pick(chance, PLACE_ENDS) if happens(chance, 0.5) else "")
    return f"{town} {pick(chance, pool('spots'))}" if happens(chance, 0.4) else town


def thing(chance: Chance) -> str:
    """Return something one can hold, without an article; never begins with a vowel."""
    noun = made_up(chance) if happens(chance, 0.2) else pick(chance, pool("nouns"))
    return f"{pick(chance, pool('qualities'))} {noun}" if happens(chance, 0.7) else noun


def amount(chance: Chance) -> str:
    """Return an amount of money as people write it, small ones more often."""
    whole = int(10 ** chance.uniform(0, 3.7))
    written = f"{whole:,}" if happens(chance, 0.7) else str(whole)
    if happens(chance, 0.5):
        written += f".{int(chance.integers(100)):02d}"
    return pick(chance, AMOUNT_FORMS).format(written)


def number(chance: Chance) -> str:
    """Return a whole number of one to four digits, small ones more often."""
    return str(int(10 ** chance.uniform(0.3, 3.9)))


def code(chance: Chance) -> str:
    """Return what is printed on a ticket or a key: letters and digits in some order."""
    letters = "".join(pick(chance, string.ascii_uppercase) for _ in range(1 + int(chance.integers(3))))
    figures, more = (_digits(chance, low + int(chance.integers(4))) for low in (2, 1))
    return pick(chance, CODE_FORMS).format(letters, figures, more)


def date(chance: Chance) -> str:
    """Return a day of the year as people write it."""
    day, month = 1 + int(chance.integers(28)), int(chance.integers(12))
    year = 1990 + int(chance.integers(50))
    return pick(chance, DATE_FORMS).format(d=day, m=MONTHS[month], n=month + 1, y=year, e=ENDINGS.get(day, "th"))


def day(chance: Chance) -> str:
    """Return a day of the week, or a date."""
    if happens(chance, 0.4):
        return date(chance)
    name = pick(chance, DAYS)
    return f"{name} {pick(chance, ('morning', 'afternoon', 'evening'))}" if happens(chance, 0.3) else name


def time(chance: Chance) -> str:
    """Return a time of the day as people write it."""
    hour, half = 1 + int(chance.integers(12)), pick(chance, ("am", "pm"))
    later = hour + 12 if half == "pm" and hour < 12 else hour
    return pick(chance, TIME_FORMS).format(h=hour, m=pick(chance, MINUTES), x=half, l=later)


def phone(chance: Chance) -> str:
    """Return a telephone number that nobody has: 01632 and 555 are kept for stories."""
    return f"01632 {_digits(chance, 6)}" if happens(chance, 0.5) else f"555-{_digits(chance, 4)}"


def email(chance: Chance) -> str:
    """Return an address under example.com, example.org or example.net, which belong to nobody."""
    user = made_up(chance) + (str(int(chance.integers(100))) if happens(chance, 0.4) else "")
    return f"{user}@example.{pick(chance, ('com', 'org', 'net'))}"


def _syllable(chance: Chance, *, closed: float) -> str:
    return pick(chance, ONSETS) + pick(chance, VOWELS) + (pick(chance, CODAS) if happens(chance, closed) else "")


def _half_made_up(chance: Chance, name: str) -> str:
    return made_up(chance).capitalize() if happens(chance, 0.5) else pick(chance, pool(name))


def _digits(chance: Chance, count: int) -> str:
    return str(int(chance.integers(10 ** (count - 1), 10**count)))


def _from_pool(name: str) -> Callable[[Chance], str]:
    return lambda chance: pick(chance, pool(name))


DRAWERS: dict[str, Callable[[Chance], str]] = {
    "person": person,
    "name": full_name,
    "place": place,
    "room": _from_pool("rooms"),
    "thing": thing,
    "word": made_up,
    "amount": amount,
    "number": number,
    "code": code,
    "date": date,
    "day": day,
    "weekday": lambda chance: pick(chance, DAYS),
    "time": time,
    "phone": phone,
    "email": email,
    "meal": _from_pool("meals"),
    "club": _from_pool("clubs"),
    "pet": _from_pool("pets"),
}
"""What draws each kind of slot."""

SLOT = re.compile(r"\{(\w+)\}")


def slots_of(sentences: Iterable[str]) -> list[str]:
    """Return the names in braces, each once, in the order in which they come.

    >>> slots_of(["{person} met {person2} on {day}.", "{person} left."])
    ['person', 'person2', 'day']
    """
    return list(dict.fromkeys(name for sentence in sentences for name in SLOT.findall(sentence)))


def kind_of(name: str) -> str:
    """Return what a slot holds: `person3` holds a person, and so do `a`, `b` and `other`."""
    kind = name.rstrip("0123456789")
    return "person" if kind in ("a", "b", "other") else kind


def facts(names: Iterable[str], chance: Chance) -> dict[str, str]:
    """Return a value for each slot; no value is drawn twice, and no first name is another's."""
    drawn: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        value = DRAWERS[kind_of(name)](chance)
        while _mark(value) in taken:
            value = DRAWERS[kind_of(name)](chance)
        drawn[name] = value
        taken.add(_mark(value))
    return drawn


def _mark(value: str) -> str:
    """Return what two values may not share: the first word, or all of what begins with an article."""
    return value if value.startswith(("the ", "a ")) else value.split()[0]
