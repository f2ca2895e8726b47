"""Which rows may be taught and shipped in a model: the survey in sources.toml, for readers and for the card."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import NamedTuple

SURVEY = Path(__file__).with_name("sources.toml")

FREE = ("public domain", "CC0", "CC BY 4.0", "MIT", "Apache-2.0", "BSD 2-Clause", "CDLA-Permissive")
"""Licences under which rows may be taught and shipped."""


class Taken(NamedTuple):
    """A data set that is taught."""

    name: str
    """What the recipe calls it."""
    data_set: str
    files: tuple[str, ...]
    licence: str
    evidence: str
    """Where the licence is told."""
    credit: str
    rows: int
    """How many there are to teach."""


class LeftOut(NamedTuple):
    """A data set that is not taught, or a part of one."""

    data_set: str
    files: tuple[str, ...]
    licence: str
    why: str


class Survey(NamedTuple):
    """All that lies in the folder of development data, decided."""

    taken: tuple[Taken, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def entries(self) -> list[Taken | LeftOut]:
        """Everything, in the order of the file."""
        return [*self.taken, *self.left_out]

    def decision(self, file: str) -> Taken | LeftOut | None:
        """Return what was decided about a file of the development data; None: nobody looked at it."""
        for entry in self.entries:
            if any(fnmatchcase(file, pattern) for pattern in entry.files):
                return entry
        return None


@cache
def survey() -> Survey:
    """Read the survey."""
    told = tomllib.loads(SURVEY.read_text(encoding="utf-8"))
    taken = [Taken(**{**entry, "files": tuple(entry["files"])}) for entry in told["taken"]]
    left_out = [LeftOut(**{**entry, "files": tuple(entry["files"])}) for entry in told["left_out"]]
    return Survey(tuple(taken), tuple(left_out))


def taken(name: str) -> Taken:
    """Return the data set that the recipe calls so."""
    return next(entry for entry in survey().taken if entry.name == name)


def table() -> str:
    """Return both parts of the survey as Markdown, for the card."""
    found = survey()
    taught = [
        f"| {entry.data_set} | {entry.rows:,} | {entry.licence} | {entry.evidence} | {entry.credit} |"
        for entry in found.taken
    ]
    refused = [f"| {entry.data_set} | {entry.licence} | {entry.why} |" for entry in found.left_out]
    return "\n".join(
        [
            *("| taught | rows | licence | as told by | credit |", "|:--|--:|:--|:--|:--|", *taught),
            *("", "| not taught | licence | why |", "|:--|:--|:--|", *refused),
        ]
    )
