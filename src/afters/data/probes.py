"""What must not be lost where a study names nothing: short tasks that ship with Afters, and free text of one's own.

`probes/probes.toml` says how each is asked and scored, `probes/NAME.jsonl` holds the rows that judge and
`NAME.train.jsonl` those that can be rehearsed; examples/base/probes.py writes them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from afters.data.settings import TaskSettings
from afters.data.tables import PREFIX
from afters.errors import DataError, SettingsError, unknown

SHORTEST: Final = 200
"""Bytes of a paragraph that is worth foreseeing."""

LONGEST: Final = 1_200
"""Letters of a half; what lies further from the cut is left away."""

HALVES: Final = "halves"
"""The name of a text's rows, as of a table."""


def probes(names: Sequence[str] | None = None, *, teaching: bool = False) -> tuple[TaskSettings, ...]:
    """Return the probes of these names, in this order; all of them when no names are given.

    With `teaching` they bring rows to rehearse, of which some are kept back to choose on.

    Raises:
        SettingsError: there is no probe of that name.
    """
    folder = files("afters.data").joinpath("probes")
    told = tomllib.loads(folder.joinpath("probes.toml").read_text(encoding="utf-8"))
    every = {}
    for name, settings in told.items():
        train = str(folder.joinpath(f"{name}.train.jsonl")) if teaching else None
        test = str(folder.joinpath(f"{name}.jsonl"))
        every[name] = TaskSettings(name=f"probe {name}", train=train, test=test, **settings)
    for name in names or ():
        if name not in every:
            hint = "A task of your own stands in [[keep.task]]."
            raise SettingsError(unknown("probe", name, every), where="[keep] tasks", hint=hint)
    return tuple(every[name] for name in (every if names is None else names))


def text_probe(file: str) -> TaskSettings:
    """Return how a file of plain text is asked: the first half of a paragraph is given, the second is weighed."""
    return TaskSettings(
        name=file,
        test=f"{PREFIX}{HALVES}",
        wordings=("{{ first }}",),
        answer="{{ second }}",
        choices="{{ [second] }}",
        cut="first",
        metrics=("bits_per_byte",),
    )


def halves(file: str, *, folder: Path) -> list[dict[str, str]]:
    """Return the paragraphs of a file of plain text, each cut in two at the space nearest to its middle.

    Paragraphs end at an empty line; those under `SHORTEST` bytes are passed over.

    Raises:
        DataError: the file cannot be read, or has no paragraph so long.
    """
    path = folder / file
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError("the text cannot be read", where=file, received=str(error)) from None
    found = list(_halves(text))
    if not found:
        raise DataError("no paragraph is long enough", where=file, expected=f"one of {SHORTEST} bytes at least")
    return found


def _halves(text: str) -> Iterator[dict[str, str]]:
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        words = " ".join(paragraph.split())
        if len(words.encode()) < SHORTEST:
            continue
        middle = len(words) // 2
        ends = [place for place in (words.rfind(" ", 0, middle), words.find(" ", middle)) if place > 0]
        if ends:
            end = min(ends, key=lambda place: abs(place - middle))
            yield {"first": words[:end][-LONGEST:], "second": words[end + 1 :][:LONGEST]}
