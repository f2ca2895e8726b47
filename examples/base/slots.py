"""What a sentence leaves open: people, places, things, numbers, money, dates; drawn from large pools or made up.

Half of the names are built from syllables, so that they were never seen before. They can only be copied, piece by
piece, and that is what they are for.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Sequence

import numpy as np

Chance = np.random.Generator

ONSETS = "b br c ch cl cr d dr f fl g gl gr h j k kl l m n p pl pr qu r s sh sk sl st t th tr v w y z".split()
VOWELS = "a e i o u a e i o u ai ea ee ia io oa oo ou y".split()
CODAS = "ck d g k l ld ll m n nd ng nk nt p r rd rk rn rt s sk ss st t th v x z".split()
UNWANTED = "shit fuck cunt cock dick piss slut tits twat wank nig fag kike rape coon spas".split()
"""What chance would spell one day."""

FIRST_NAMES = """Aaron Abena Ada Adam Agnes Ahmed Aiko Alan Alice Amara Amir Amy Ana Andrew Anita Anna Anton Arthur Aisha Ben
Beatrice Bella Bilal Boris Bruno Carla Carlos Cecil Chen Chloe Clara Colin Cora Dan Daniel David Dalia Deepa Diego Dina Dora Edith
Edward Eli Elena Ella Emil Emma Erik Esther Eva Fatima Felix Fiona Flora Frank Freya George Gina Grace Greta Hana Hannah Harry
Hassan Helen Henry Hugo Ian Ibrahim Ida Ines Ingrid Irene Isaac Ivan Jack James Jana Jane Jasper Jin Joan Joe John Jonas Josef
Julia Kamal Karen Karim Kate Keiko Kenji Kofi Lara Laura Layla Lena Leo Liam Lily Linda Lucas Lucy Luis Maja Marco Maria Mark Martha
Martin Mary Matteo Maya Mei Mia Milan Mina Mohamed Mona Nadia Naomi Nina Noah Nora Olaf Olga Oliver Omar Oscar Otto Owen Pablo Paul
Paula Pedro Peter Petra Philip Priya Rachel Rahul Rania Ravi Rebecca Robert Rosa Rose Ruth Sam Samir Sara Sean Selma Silas Simon Sofia
Stella Sven Tara Tariq Theo Thomas Tim Tina Tom Uma Vera Victor Vikram Wanda Walter Will Yara Yusuf Zara Zoe""".split()

LAST_NAMES = """Adams Ahmed Allen Baker Banerjee Barnes Bauer Bell Berg Bianchi Bishop Brown Carter Chan Clark Cohen Cole Cook Costa Cruz
Davies Diaz Dubois Evans Farrell Fischer Foster Fox Garcia Gibson Gray Green Gupta Haddad Hall Harris Hill Hughes Hunt Ito Jackson Jansen
Jones Kaya Kelly Khan Kim King Klein Kumar Lee Lewis Lind Lopez Mason Mehta Meyer Mills Moore Morgan Morris Murphy Nagy Nakamura Novak Okafor
Olsen Owens Park Patel Perez Petrov Pike Price Quinn Reed Reyes Rossi Russo Santos Sato Schmidt Scott Shah Silva Singh Smith Stone Suzuki
Tanaka Taylor Thomson Turner Vogel Wagner Walker Ward Watson Weber West White Wilson Wood Wright Yang Young Zhang""".split()

PLACES = """Athens Bath Berlin Boston Bristol Cairo Cardiff Chester Chicago Cork Delhi Derby Dover Dublin Durham Exeter Geneva Glasgow Hull
Kent Kyoto Leeds Lima Lisbon London Luton Lyon Madrid Milan Munich Nairobi Naples Norwich Oslo Oxford Paris Perth Poole Prague Reading Rome
Salford Seville Sydney Tampa Tokyo Toronto Turin Vienna Wells York Zurich""".split()

PLACE_ENDS = "ton ham ford bury field wick stead by worth mouth dale port".split()
SPOTS = """Street|Road|Lane|Square|Park|Station|Bridge|Hall|Market|Library|School|Church|Museum|Cafe|Inn|Garden|Farm|Harbour""".split("|")
ROOMS = """the kitchen|the garden|the library|the market|the station|the park|the town hall|the harbour|the school|the museum|the cellar
|the bus stop|the swimming pool|the bakery|the church|the village shop|the old mill|the theatre""".replace("\n", "").split("|")

QUALITIES = """big black blue bright broken brown cheap clean cracked dark dirty double dusty faded fine folded foreign gold green grey
heavy huge large leather light little long lost narrow new narrow painted pale paper pink plain plastic polished pretty purple rare red
round rusty second-hand sharp short shiny silver small soft spare square steel striped tall thick thin tiny torn warm white wide wooden
woollen yellow""".split()

NOUNS = """bag basket bed bell belt bench bicycle blanket boat book boot bottle bowl box bracelet brush bucket cabinet cake camera candle
cap card carpet chair clock coat coin comb cup curtain desk dish dress drum fan flag flute football frame glass glove guitar hammer hat
helmet jacket jar jug kettle key kite knife ladder lamp lantern letter map mask mirror mug necklace needle notebook paddle painting pan parcel pen
pencil phone piano picture pillow plate pot purse puzzle quilt racket radio raincoat ribbon ring rope rug saddle sandwich saw scarf shawl shelf
shirt shoe sofa spade spoon stamp stool suitcase sweater table teapot telescope tent ticket torch towel toy tray trumpet vase violin wallet watch
wheelbarrow whistle""".split()

MEALS = """breakfast|lunch|dinner|supper|a picnic|a barbecue|tea and cake|pizza|soup|curry|fish and chips|pancakes|roast lamb""".split("|")
MONTHS = """January February March April May June July August September October November December""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
PARTS = ("morning", "afternoon", "evening")
CLUBS = """chess club|book club|choir|swimming lesson|cooking class|Spanish class|football match|tennis match|concert|film|play|quiz night
|jazz concert|yoga class|drawing class|dance class|charity run|boat trip|walking tour|poetry evening""".replace("\n", "").split("|")
PETS = "cat dog rabbit parrot hamster goldfish pony tortoise".split()


def pick(chance: Chance, pool: Sequence[str]) -> str:
    """Return one of `pool`."""
    return pool[int(chance.integers(len(pool)))]


def happens(chance: Chance, share: float) -> bool:
    """Return True in about `share` of the draws."""
    return bool(chance.random() < share)


def digits(chance: Chance, count: int) -> str:
    """Return a string of `count` digits that does not begin with 0."""
    return str(int(chance.integers(10 ** (count - 1), 10**count)))


def made_up(chance: Chance) -> str:
    """Return a word of one to three syllables that hardly stands in any book, in small letters."""
    count = int(chance.choice((1, 2, 2, 2, 3)))
    word = "".join(_syllable(chance, closed=0.6 if last else 0.25) for last in [False] * (count - 1) + [True])
    return word if not any(part in word for part in UNWANTED) else made_up(chance)


def _syllable(chance: Chance, *, closed: float) -> str:
    return pick(chance, ONSETS) + pick(chance, VOWELS) + (pick(chance, CODAS) if happens(chance, closed) else "")


def person(chance: Chance) -> str:
    """Return a first name, with a last name in a quarter of the draws."""
    first = made_up(chance).capitalize() if happens(chance, 0.5) else pick(chance, FIRST_NAMES)
    if happens(chance, 0.75):
        return first
    return f"{first} {made_up(chance).capitalize() if happens(chance, 0.5) else pick(chance, LAST_NAMES)}"


def place(chance: Chance) -> str:
    """Return the name of a town or of a spot in one."""
    town = pick(chance, PLACES)
    if happens(chance, 0.5):
        town = made_up(chance).capitalize() + (pick(chance, PLACE_ENDS) if happens(chance, 0.5) else "")
    return f"{town} {pick(chance, SPOTS)}" if happens(chance, 0.4) else town


def thing(chance: Chance) -> str:
    """Return something one can hold, without an article; never begins with a vowel."""
    noun = made_up(chance) if happens(chance, 0.2) else pick(chance, NOUNS)
    return f"{pick(chance, QUALITIES)} {noun}" if happens(chance, 0.7) else noun


def amount(chance: Chance) -> str:
    """Return an amount of money as people write it."""
    whole = int(10 ** chance.uniform(0, 3.7))
    written = f"{whole:,}" if happens(chance, 0.7) else str(whole)
    if happens(chance, 0.5):
        written += f".{int(chance.integers(100)):02d}"
    form = pick(chance, ("£{}", "£{}", "${}", "${}", "€{}", "€{}", "{} pounds", "{} euros", "{} dollars", "{} EUR"))
    return form.format(written)


def number(chance: Chance) -> str:
    """Return a whole number of one to four digits, small ones more often."""
    return str(int(10 ** chance.uniform(0.3, 3.9)))


def code(chance: Chance) -> str:
    """Return what is printed on a ticket or a key: letters and digits in some order."""
    letters = "".join(pick(chance, string.ascii_uppercase) for _ in range(1 + int(chance.integers(3))))
    figures = digits(chance, 2 + int(chance.integers(5)))
    more = digits(chance, 1 + int(chance.integers(4)))
    forms = ("{0}{1}", "{0}-{1}", "#{1}", "{1}", "{1}-{2}", "{0}-{1}-{2}", "{1}{0}", "{0} {1}", "no. {1}", "{1}/{2}")
    return pick(chance, forms).format(letters, figures, more)


def date(chance: Chance) -> str:
    """Return a day of the year as people write it."""
    day, month = 1 + int(chance.integers(28)), int(chance.integers(12))
    year = 1990 + int(chance.integers(50))
    ending = {1: "st", 2: "nd", 3: "rd", 21: "st", 22: "nd", 23: "rd"}.get(day, "th")
    forms = ("{d} {m}", "{m} {d}", "{d}{e} {m}", "the {d}{e} of {m}", "{d} {m} {y}", "{m} {d}, {y}", "{y}-{n:02d}-{d:02d}")
    form = pick(chance, (*forms, "{d:02d}/{n:02d}/{y}", "{d}.{n}.{y}"))
    return form.format(d=day, m=MONTHS[month], n=month + 1, y=year, e=ending)


def day(chance: Chance) -> str:
    """Return a day of the week, or a date."""
    if happens(chance, 0.4):
        return date(chance)
    name = pick(chance, DAYS)
    return f"{name} {pick(chance, PARTS)}" if happens(chance, 0.3) else name


def time(chance: Chance) -> str:
    """Return a time of the day as people write it."""
    hour, minute = 1 + int(chance.integers(12)), pick(chance, ("00", "05", "10", "15", "20", "25", "30", "40", "45", "50"))
    half = pick(chance, ("am", "pm"))
    forms = ("{h} {x}", "{h}{x}", "{h}:{m} {x}", "{l:02d}:{m}", "{h} o'clock", "{h}.{m}")
    return pick(chance, forms).format(h=hour, m=minute, x=half, l=hour + 12 * (half == "pm" and hour < 12))


def phone(chance: Chance) -> str:
    """Return a telephone number that nobody has: it begins with 555 or 01632, which are kept for stories."""
    if happens(chance, 0.5):
        return f"01632 {digits(chance, 6)}"
    return f"555-{digits(chance, 4)}"


def email(chance: Chance) -> str:
    """Return an address under example.com, example.org or example.net, which belong to nobody."""
    user = made_up(chance) + (str(int(chance.integers(100))) if happens(chance, 0.4) else "")
    return f"{user}@example.{pick(chance, ('com', 'org', 'net'))}"


def from_pool(pool: Sequence[str]) -> Callable[[Chance], str]:
    """Return a drawer of `pool`."""
    return lambda chance: pick(chance, pool)


DRAWERS: dict[str, Callable[[Chance], str]] = {
    "person": person,
    "place": place,
    "room": from_pool(ROOMS),
    "thing": thing,
    "word": made_up,
    "amount": amount,
    "number": number,
    "code": code,
    "date": date,
    "day": day,
    "weekday": from_pool(DAYS),
    "time": time,
    "phone": phone,
    "email": email,
    "meal": from_pool(MEALS),
    "club": from_pool(CLUBS),
    "pet": from_pool(PETS),
}
"""What stands in braces in a sentence, without a digit at its end, and what draws it."""

SLOT = re.compile(r"\{(\w+)\}")


def slots_of(sentences: Iterable[str]) -> list[str]:
    """Return the names in braces, each once, in the order in which they come.

    >>> slots_of(["{person} met {person2} on {day}.", "{person} left."])
    ['person', 'person2', 'day']
    """
    return list(dict.fromkeys(name for sentence in sentences for name in SLOT.findall(sentence)))


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


def kind_of(name: str) -> str:
    """Return what a slot holds: `person3` holds a person, and so do the speakers `a` and `b`."""
    kind = name.rstrip("0123456789")
    return "person" if kind in ("a", "b") else kind


def _mark(value: str) -> str:
    """Return what two values may not share: the first word, or all of what begins with an article."""
    return value if value.startswith(("the ", "a ")) else value.split()[0]
