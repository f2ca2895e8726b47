"""The facts that a text states: numbers, codes, dates, weekdays, months and names.

Each is one short string in a normal form: `1200` for "1,200" and "£1,200.00", `14 march` for "March 14th" and
"2025-03-14" (beside `2025`), `af10432` for "AF-10432", `maria` for "Maria's". Read one after another, from what a
reader of English sees: digits, capitals, months.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_MONTHS: Final = {
    **dict.fromkeys(("january", "jan"), "january"),
    **dict.fromkeys(("february", "feb"), "february"),
    **dict.fromkeys(("march", "mar"), "march"),
    **dict.fromkeys(("april", "apr"), "april"),
    "may": "may",
    **dict.fromkeys(("june", "jun"), "june"),
    **dict.fromkeys(("july", "jul"), "july"),
    **dict.fromkeys(("august", "aug"), "august"),
    **dict.fromkeys(("september", "sept", "sep"), "september"),
    **dict.fromkeys(("october", "oct"), "october"),
    **dict.fromkeys(("november", "nov"), "november"),
    **dict.fromkeys(("december", "dec"), "december"),
}
_BY_NUMBER: Final = tuple(dict.fromkeys(_MONTHS.values()))
_WEEKDAYS: Final = {
    day + ending: day
    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    for ending in ("", "s")
}
_COUNTED: Final = dict(
    zip(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
        map(str, range(1, 13)),
        strict=True,
    )
)
_NEVER_NAMES: Final = frozenset("i i'm i'll i've i'd ok okay mr mrs ms miss dr prof sir madam am pm".split())

# A chunk holds together what a reader takes as one: 1,200.50, 10:30, AF-10432, Smith-Jones, Maria's. Signs that
# end or interrupt a sentence are tokens of their own.
_TOKEN: Final = re.compile(
    r"(?P<chunk>[^\W_]+(?:(?:(?<=\d)[.,:/](?=\d)|['’\-])[^\W_]+)*)"
    r"|(?P<stop>[.!?…]+|:|\n|[\"“](?=\w))"
)
_TITLES: Final = frozenset(("mr", "mrs", "ms", "dr", "prof", "st"))
_LABEL: Final = re.compile(r"^[^\S\n]*([^\s:]+(?:[^\S\n][^\s:]+){0,2}):", re.MULTILINE)
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_WITH_UNIT: Final = re.compile(r"(\d[\d.,:]*)-?[a-z]+")
_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")


class _Chunk(NamedTuple):
    text: str
    opens: bool
    """Whether it opens a sentence, a line, a quotation, or what follows a colon."""


def stated(text: str, *, names: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the facts that the text states.

    A capital makes a word a name, except where it opens a sentence: there the word must be one of `names`, which
    are known from elsewhere. In a text all in capitals, they say nothing.

    >>> sorted(stated("Maria paid $1,200.00 to Acme on March 14th.", names=frozenset({"maria"})))
    ['1200', '14 march', 'acme', 'maria']
    """
    chunks = list(_chunks(text))
    known = names | names_in(text)
    dated, taken = _dates(chunks)
    rest = (chunk for place, chunk in enumerate(chunks) if place not in taken)
    return dated.union(*(_facts(chunk, known) for chunk in rest))


def forms(text: str) -> frozenset[str]:
    """Return everything that counts as a mention of a fact: the facts, their parts, and every word in any case.

    "two" mentions `2`, "14 March" mentions `14`, `march` and `14 march`, "maria" mentions `maria`.
    """
    chunks = list(_chunks(text))
    dated, _ = _dates(chunks)
    return dated.union(*(_mentions(chunk.text) for chunk in chunks))


def names_in(text: str) -> frozenset[str]:
    """Return the words that the text shows to be names.

    They stand capitalised inside a sentence that is not all capitals, or are who speaks: `Maria Jones: Hello`.
    """
    labels = (label.split() for label in _LABEL.findall(text))
    speakers = (word for label in labels if all(map(_is_name, label)) for word in label)
    shown = (chunk.text for sentence in _sentences(text) for chunk in sentence if not chunk.opens)
    return frozenset(_word(word) for word in (*shown, *speakers) if _is_name(word))


def _chunks(text: str) -> Iterator[_Chunk]:
    opens, title = True, False
    for token in _TOKEN.finditer(text):
        if chunk := token["chunk"]:
            yield _Chunk(chunk, opens)
            title = chunk.casefold() in _TITLES or (len(chunk) == 1 and chunk.isupper() and chunk != "I")
            opens = False
        elif not (title and token["stop"] == "."):
            opens = True


def _sentences(text: str) -> Iterator[list[_Chunk]]:
    """Yield the sentences whose capitals say something: those with a word in lower case."""
    sentence: list[_Chunk] = []
    for chunk in _chunks(text):
        if chunk.opens:
            yield from _telling(sentence)
            sentence = []
        sentence.append(chunk)
    yield from _telling(sentence)


def _telling(sentence: list[_Chunk]) -> Iterator[list[_Chunk]]:
    if any(chunk.text[0].islower() for chunk in sentence):
        yield sentence


def _is_name(word: str) -> bool:
    return word[0].isupper() and not _has_digit(word) and _word(word) not in _NEVER_NAMES


def _has_digit(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def _word(text: str) -> str:
    """Return a word without case and possessive ending."""
    return text.casefold().replace("’", "'").removesuffix("'s").strip("'")


def _dates(chunks: list[_Chunk]) -> tuple[frozenset[str], frozenset[int]]:
    """Return the days with their month, and the places of the chunks that make them."""
    dated, taken = set(), set()
    for place, (first, second) in enumerate(zip(chunks, chunks[1:], strict=False)):
        for day, month in ((first.text, second.text), (second.text, first.text)):
            if place not in taken and _is_day(day) and month.casefold() in _MONTHS and month[0].isupper():
                dated.add(f"{int(_number(day))} {_MONTHS[month.casefold()]}")
                taken |= {place, place + 1}
    return frozenset(dated), frozenset(taken)


def _is_day(text: str) -> bool:
    number = _number(text)
    return number.isdecimal() and len(number) <= 2 and 1 <= int(number) <= 31


def _facts(chunk: _Chunk, names: frozenset[str]) -> frozenset[str]:
    """Return the facts of one chunk outside a date: none or one, of a full date two."""
    if _has_digit(chunk.text):
        return _numbers(chunk.text)
    word = _word(chunk.text)
    if word in _WEEKDAYS:
        return frozenset((_WEEKDAYS[word],))
    return frozenset((word,)) if _is_name(chunk.text) and word in names else frozenset()


def _mentions(text: str) -> frozenset[str]:
    if _has_digit(text):
        return _numbers(text).union(part for number in _numbers(text) for part in number.split())
    word = _word(text)
    parts = re.split(r"['\-]", word)
    return frozenset((word, *parts, _WEEKDAYS.get(word, word), _MONTHS.get(word, word), _COUNTED.get(word, word)))


def _numbers(text: str) -> frozenset[str]:
    full = _DATE.fullmatch(text)
    if full and 1 <= int(full[2]) <= 12:
        return frozenset((full[1], f"{int(full[3])} {_BY_NUMBER[int(full[2]) - 1]}"))
    return frozenset((_number(text),))


def _number(text: str) -> str:
    """Return a number or code in its normal form.

    Without the commas of thousands, a unit or an ordinal's ending, and zeros after the point; a code without
    case, hyphens and apostrophes.
    """
    if with_unit := _WITH_UNIT.fullmatch(text):
        text = with_unit[1]
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if re.fullmatch(r"\d+\.\d+", text):
        return text.rstrip("0").rstrip(".")
    return re.sub(r"['’\-]", "", text).casefold()
