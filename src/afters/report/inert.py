"""Text from data and models, made harmless to read: no character of it acts on a page or a terminal."""

from __future__ import annotations

import re

_ACTING = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 controls but tab and line feed; the escape of ANSI sequences is one
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides and isolates
    "\u200b\u2028\u2029\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"  # invisible spaces, separators, annotations
    "\U000e0000-\U000e007f"  # invisible tags
    "\ud800-\udfff"  # lone surrogates, which no file can hold
    "]"
)


def inert(text: str) -> str:
    r"""Return `text` with every acting character replaced by a visible name for it.

    Joiners (U+200C, U+200D) stay, because Persian, Hindi and emoji are written with them.

    >>> inert("\x1b[31mred\u202e")
    '⟨U+001B⟩[31mred⟨U+202E⟩'
    """
    return _ACTING.sub(lambda match: f"⟨U+{ord(match.group()):04X}⟩", text.replace("\r\n", "\n"))
