"""The support chats of the demo, generated from a seed: hotel, bank, telecoms and shop.

A row is a function of the seed, its split and its place, so adding rows moves no old one. Teaching (`train` and
`validation`) and judging (`test`) rows share what customers want and what may come of it; the judging side has
names, amounts and wordings of its own. What came of a request must be read in the chat: every request has three or
four outcomes, equally often.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from afters import seeds
from afters.data import demo_chat
from afters.data.demo_facts import Chance
from afters.data.demo_words import words
from afters.errors import SettingsError, unknown

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

COUNTS: dict[Split, int] = {"train": 2800, "validation": 100, "test": 200}
SEED = 7
"""What `afters demo` writes where nothing else is said."""

PREFIX = "demo:"
"""How a study names the demo's rows."""

MOST_ROWS = 30_000
"""Rows that a split can have: each chat has a number of five digits that no other chat has."""

STRIDE = 17_389
"""Shares no factor with `MOST_ROWS`, so that its multiples pass through every number once."""


def rows(split: Split, count: int, *, seed: int) -> list[dict[str, str]]:
    """Return the first `count` rows of a split.

    A row has `id`, `business`, `intent`, `chat`, and `summary`; a row of the test split has, instead of `summary`,
    the same summary in three wordings, `summary1` to `summary3`.

    Raises:
        SettingsError: the split is not known, or cannot have so many rows.
    """
    if split not in SPLITS:
        raise SettingsError(unknown("split", split, SPLITS))
    if not 0 <= count <= MOST_ROWS:
        expected = f"0 to {MOST_ROWS} rows for a split"
        raise SettingsError("the demo cannot make so many rows", where=split, expected=expected, received=str(count))
    return [_row(split, index, seed=seed) for index in range(count)]


def named(name: str) -> list[dict[str, str]]:
    """Return the rows that a study names as "demo:train", "demo:validation" or "demo:test": those of `afters demo`.

    Raises:
        SettingsError: there is no such split.
    """
    split = name.removeprefix(PREFIX)
    if split not in SPLITS:
        raise SettingsError(unknown("split of the demo", split, SPLITS), where=name)
    return rows(split, COUNTS[split], seed=SEED)


def write(
    folder: Path,
    *,
    seed: int,
    train: int = COUNTS["train"],
    validation: int = COUNTS["validation"],
    test: int = COUNTS["test"],
) -> dict[str, Path]:
    """Write the splits as JSON lines, `support-chats.train.jsonl` and so on, and return their paths by split.

    Raises:
        SettingsError: a split cannot have so many rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    counts: dict[Split, int] = {"train": train, "validation": validation, "test": test}
    paths: dict[str, Path] = {}
    for split, count in counts.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows(split, count, seed=seed)]
        paths[split] = folder / f"support-chats.{split}.jsonl"
        paths[split].write_text("".join(lines), encoding="utf-8", newline="\n")
    return paths


def told(split: Split, index: int, *, seed: int) -> demo_chat.Told:
    """Return a row's chat with all that is known about it."""
    chance = Chance(seeds.stream(seed, "demo", split, index), judging=split == "test")
    intent, outcome = words().stories[_story(split, index, seed=seed)]
    number = _number(split, index, seed=seed)
    return demo_chat.told(chance, words=words(), intent=intent, outcome=outcome, number=number)


def _row(split: Split, index: int, *, seed: int) -> dict[str, str]:
    chat = told(split, index, seed=seed)
    row = {"id": f"{split}-{index:05d}", "business": chat.business, "intent": chat.intent, "chat": chat.chat}
    if split == "test":
        return row | {f"summary{place}": text for place, text in enumerate(chat.summaries, start=1)}
    return row | {"summary": chat.summaries[seeds.number(seed, "demo wording", split, index) % len(chat.summaries)]}


def _story(split: Split, index: int, *, seed: int) -> int:
    """Return which of the stories is told: each once, in some order, before one is told again."""
    count = len(words().stories)
    return _round(split, index // count, count, seed)[index % count]


@lru_cache(maxsize=8)
def _round(split: Split, place: int, count: int, seed: int) -> tuple[int, ...]:
    return tuple(map(int, seeds.stream(seed, "demo round", split, place).permutation(count)))


def _number(split: Split, index: int, *, seed: int) -> str:
    """Return the row's own five digits: no two rows of a seed have the same, in whatever split they are."""
    start = seeds.number(seed, "demo number", split)
    place = (start + STRIDE * index) % MOST_ROWS
    return str(10_000 + len(SPLITS) * place + SPLITS.index(split))
