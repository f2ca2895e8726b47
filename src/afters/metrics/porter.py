"""Porter's stemmer, as he published it and with the extensions that most published ROUGE numbers use.

M. F. Porter, "An algorithm for suffix stripping", Program 14(3), 1980, as extended on the author's site
(`bli`, `logi`, words of two letters) and by NLTK (irregular forms, `ied`, short words, `alli` twice), whose
answers both give, word for word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

_IRREGULAR: Final = {
    "skies": "sky",
    "sky": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "news": "news",
    "innings": "inning",
    "inning": "inning",
    "outings": "outing",
    "outing": "outing",
    "cannings": "canning",
    "canning": "canning",
    "howe": "howe",
    "proceed": "proceed",
    "exceed": "exceed",
    "succeed": "succeed",
}


class _Rules:
    """What a suffix becomes. Longest first where one ends another: the first that fits decides."""

    def __init__(self, replacements: Mapping[str, str]) -> None:
        self.replacements = replacements
        self.suffixes = tuple(replacements)


_DERIVED: Final = {
    "ational": "ate",
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "izer": "ize",
    "abli": "able",
    "alli": "al",
    "entli": "ent",
    "eli": "e",
    "ousli": "ous",
    "ization": "ize",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "iveness": "ive",
    "fulness": "ful",
    "ousness": "ous",
    "aliti": "al",
    "iviti": "ive",
    "biliti": "ble",
}
_ADJECTIVAL: Final = _Rules(
    {
        "icate": "ic",
        "ative": "",
        "alize": "al",
        "iciti": "ic",
        "ical": "ic",
        "ful": "",
        "ness": "",
    }
)
_STEP_2: Final = _Rules({**_DERIVED, "bli": "ble", "fulli": "ful"})
_STEP_2_OF_1980: Final = _Rules(_DERIVED)
_BARE: Final = (
    *("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion"),
    *("ou", "ism", "ate", "iti", "ous", "ive", "ize"),
)


class Stems(dict[str, str]):
    """The stems of the words that were asked for, made by `make` when they are first asked for.

    A plain dictionary, so that `map(stems.__getitem__, words)` runs without a line of Python for a known word.
    """

    MOST: Final = 1 << 18
    """Beyond so many words it begins anew, lest an endless text fill the memory."""

    def __init__(self, make: Callable[[str], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, word: str) -> str:
        if len(self) >= self.MOST:
            self.clear()
        made = self[word] = self._make(word)
        return made


def stem(word: str) -> str:
    """Return the stem of a word in lower case.

    >>> [stem(word) for word in ("relational", "flies", "dying", "happily")]
    ['relat', 'fli', 'die', 'happili']
    """
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) <= 2:
        return word
    word = _without_plural(word, extended=True)
    word = _without_past(word, extended=True)
    word = _with_i_for_y(word)
    word = _without_derivation(word)
    word = _without_adjective(word)
    word = _without_bare_suffix(word)
    return _without_final_letters(word, extended=True)


def stem_of_1980(word: str) -> str:
    """Return the stem of a word in lower case, by the published algorithm alone.

    >>> [stem_of_1980(word) for word in ("relational", "enjoy", "dying", "happily")]
    ['relat', 'enjoi', 'dy', 'happili']
    """
    word = _without_plural(word, extended=False)
    word = _without_past(word, extended=False)
    word = word[:-1] + "i" if word.endswith("y") and "v" in _shape(word[:-1]) else word
    word = _replaced(word, _STEP_2_OF_1980)
    word = _without_adjective(word)
    word = _without_bare_suffix(word)
    return _without_final_letters(word, extended=False)


def _shape(text: str) -> str:
    """Return `c` or `v` for each letter: a y is a vowel after a consonant; what is no letter is a consonant."""
    shape = ""
    for letter in text:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


def _measure(text: str) -> int:
    """Return Porter's m: how often a vowel is followed by a consonant."""
    return _shape(text).count("vc")


def _ends_short(text: str, *, extended: bool) -> bool:
    """Whether the text ends as *hop* does (Porter's *o), or is, where extended, a vowel and a consonant."""
    shape = _shape(text)
    return (shape.endswith("cvc") and text[-1] not in "wxy") or (extended and shape == "vc")


def _without_plural(word: str, *, extended: bool) -> str:  # Step 1a
    if extended and word.endswith("ies") and len(word) == 4:
        return word[:-1]
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _without_past(word: str, *, extended: bool) -> str:  # Step 1b
    if extended and word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            return _mended(rest, extended=extended) if "v" in _shape(rest) else word
    return word


def _mended(rest: str, *, extended: bool) -> str:
    """Return what is left of a past form as a word again: *hoping* to *hope*, *hopping* to *hop*."""
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if len(rest) >= 2 and rest[-1] == rest[-2] and _shape(rest)[-1] == "c":
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _ends_short(rest, extended=extended) else rest


def _with_i_for_y(word: str) -> str:  # Step 1c
    rest = word[:-1]
    return rest + "i" if word.endswith("y") and len(rest) > 1 and _shape(rest)[-1] == "c" else word


def _without_derivation(word: str) -> str:  # Step 2
    if word.endswith("alli") and _measure(word[:-4]) > 0:
        return _without_derivation(word[:-2])
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) > 0 else word
    return _replaced(word, _STEP_2)


def _without_adjective(word: str) -> str:  # Step 3
    return _replaced(word, _ADJECTIVAL)


def _replaced(word: str, rules: _Rules) -> str:
    if not word.endswith(rules.suffixes):
        return word
    for suffix, replacement in rules.replacements.items():
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            return rest + replacement if _measure(rest) > 0 else word
    return word


def _without_bare_suffix(word: str) -> str:  # Step 4
    if not word.endswith(_BARE):
        return word
    for suffix in _BARE:
        if word.endswith(suffix):
            rest = word.removesuffix(suffix)
            allowed = suffix != "ion" or rest.endswith(("s", "t"))
            return rest if allowed and _measure(rest) > 1 else word
    return word


def _without_final_letters(word: str, *, extended: bool) -> str:  # Step 5
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _ends_short(rest, extended=extended)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
