"""Text as the metrics see it: normalised, or cut into words."""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from functools import cache
from typing import Final

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_SPACED = bytes(byte if chr(byte) in string.ascii_lowercase + string.digits else ord(" ") for byte in range(256))
"""What becomes of each byte of a text in lower case when only ASCII letters and digits are words."""

_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao; Burmese; Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Japanese: signs of repetition, both kana
    "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Letters of scripts that put no space between words."""


def stripped(text: str) -> str:
    """Return the text without the white space around it."""
    return text.strip()


def squad_normalised(text: str) -> str:
    """Return the text as SQuAD compares answers (Rajpurkar et al., arXiv 1606.05250).

    Lower case; ASCII punctuation, then the articles a, an and the taken out; white space squeezed.

    >>> squad_normalised("The  Cat, a cat.")
    'cat cat'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def folded(text: str) -> str:
    """Return the text stripped and without case, as choices are compared."""
    return text.strip().casefold()


def words(text: str) -> list[str]:
    """Return the words as ROUGE cuts them: runs of ASCII letters and digits, in lower case.

    Everything else parts words, so accents and other scripts vanish; that is what published numbers do.

    >>> words("Don't pay £1,200!")
    ['don', 't', 'pay', '1', '200']
    """
    return text.lower().encode("ascii", "replace").translate(_SPACED).decode("ascii").split()


def unicode_words(text: str) -> list[str]:
    """Return runs of letters, digits and their marks, of any script, in lower case and composed (NFC).

    Of a text in ASCII these are the words that `words` gives. Where a script puts no space between words, as
    Japanese and Thai, each letter with its marks stands for a word.

    >>> unicode_words("Žluťoučký kůň, 日本 2")
    ['žluťoučký', 'kůň', '日', '本', '2']
    """
    return _unicode_word().findall(unicodedata.normalize("NFC", text.lower()))


def mostly_beyond_ascii(text: str) -> bool:
    """Whether more than half of the text's letters are none of the 26 that `words` knows.

    >>> mostly_beyond_ascii("Köln"), mostly_beyond_ascii("Москва, 2 km")
    (False, True)
    """
    if text.isascii():
        return False
    letters = [letter for letter in text if letter.isalpha()]
    return 2 * sum(letter.isascii() for letter in letters) < len(letters)


@cache
def _unicode_word() -> re.Pattern[str]:
    """Return the pattern of a word: letters and digits with their marks, which a vowel of Hindi or Thai often is."""
    marks = "".join(mark for mark in map(chr, range(sys.maxunicode)) if unicodedata.category(mark).startswith("M"))
    return re.compile(f"[{_UNSPACED}](?<=\\w)[{marks}]*|(?:(?![{_UNSPACED}])[^\\W_][{marks}]*)+")
