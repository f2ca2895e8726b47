"""Text as the metrics see it: normalised, or cut into words."""

from __future__ import annotations

import re
import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_WORD = re.compile(r"[a-z0-9]+")


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
    return _WORD.findall(text.lower())
