"""Who teaches and who judges, by what the row says and never by where it stands."""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from afters import seeds
from afters.data.columns import as_text
from afters.errors import DataError, unknown

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")

NAMES: Mapping[str, Side] = {
    **{"train": "train", "training": "train"},
    **{"validation": "validation", "valid": "validation", "val": "validation", "dev": "validation"},
    **{"test": "test"},
}
"""How a split column may call the sides."""

NORMALISER = "Unicode NFKC, lower case, white space collapsed"
"""What `normalised` does: by this alone Afters decides whether two rows say the same."""


def normalised(text: str) -> str:
    """Return the text with one form for each character, in lower case, with single spaces.

    >>> normalised("Ｈello   WORLD ")
    'hello world'
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def content_of(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return what the columns of a row say, normalised, one column a line; empty when none says anything."""
    parts = [normalised(as_text(row.get(column))) for column in columns]
    return "\n".join(parts) if any(parts) else ""


def digest(content: str) -> str:
    """Return the 12 hexadecimal digits that stand for a content."""
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def ids_of(keys: Iterable[str]) -> tuple[str, ...]:
    """Return an id for each row: its content's digest, and from the second row of that content on, which one it is.

    >>> ids_of(["0a", "0b", "0a"])
    ('0a', '0b', '0a-2')
    """
    seen: Counter[str] = Counter()
    ids = []
    for key in keys:
        seen[key] += 1
        ids.append(key if seen[key] == 1 else f"{key}-{seen[key]}")
    return tuple(ids)


def side_of(key: str, *, fractions: Mapping[Side, float], seed: int) -> Side:
    """Return the side of a content, given by its digest; which other rows there are plays no part."""
    drawn = seeds.fraction(seed, "split", key)
    reached = 0.0
    for side in SIDES:
        reached += fractions[side]
        if drawn < reached:
            return side
    return max(SIDES, key=lambda side: fractions[side])  # fractions that add up to a hair less than 1


def named_side(name: object, *, where: str) -> Side:
    """Return the side that a split column names.

    Raises:
        DataError: it names none.
    """
    folded = as_text(name).strip().casefold()
    if folded not in NAMES:
        raise DataError(unknown("side", folded, NAMES), where=where, hint="Each row needs its side.")
    return NAMES[folded]


def chosen(keys: Sequence[str], limit: int | None, *, seed: int) -> list[int]:
    """Return the positions of at most `limit` keys, in their order; a higher limit keeps all of a lower one's."""
    if limit is None or limit >= len(keys):
        return list(range(len(keys)))
    return sorted(seeded_order(keys, "limit", seed=seed)[:limit])


def seeded_order(keys: Sequence[str], purpose: str, *, seed: int) -> list[int]:
    """Return the positions of the keys in an order by chance, in which a new key moves no two others."""
    return sorted(range(len(keys)), key=lambda index: seeds.number(seed, purpose, keys[index]))
