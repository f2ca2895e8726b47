"""What a document is made of: sections of paragraphs, tables, figures and rows side by side; plain records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from afters.records import Verdict
from afters.report.charts import Curve, Intervals

Tone = Literal["", "good", "bad", "unsure", "even", "strong", "quiet"]
"""How a piece of text is meant; each form shows it as it can, and never by colour alone."""

TONES: dict[Verdict, Tone] = {
    "improved": "good",
    "improved_effect_unproven": "unsure",
    "worse": "bad",
    "equivalent": "even",
    "cannot_tell": "unsure",
}


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Points:
    """Short sentences, each a point of its own."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """Words and what they mean."""

    items: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    note: str = ""
    """A second, smaller line: an interval under its score."""
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under named columns; the first cell of a row names it."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    text_columns: frozenset[int] = frozenset({0})
    """Columns that hold words; the others hold numbers and are aligned as such."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart and what it shows."""

    caption: str
    chart: Intervals | Curve


@dataclass(frozen=True, slots=True)
class Words:
    """A stretch of an answer, and whether a reference has it too."""

    text: str
    shared: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What one side answered to a judged row, and its score on this row."""

    label: str
    words: tuple[Words, ...]
    score: str


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """One judged row side by side: asked, written by a person, before and after."""

    id: str
    source: str
    asked: str
    references: tuple[str, ...]
    before: Answer
    after: Answer
    change: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class JudgedRows:
    """Judged rows side by side."""

    score: str
    rows: tuple[JudgedRow, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """What few readers need, folded away under its summary."""

    summary: str
    blocks: tuple[Block, ...]
    quotes_rows: bool = False
    """Whether it shows words of the user's rows, which a card that may be published leaves out."""


Block: TypeAlias = Paragraph | Points | Terms | Table | Figure | JudgedRows | Details


@dataclass(frozen=True, slots=True)
class Section:
    """Blocks under a heading."""

    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict's word and its sentence."""

    word: str
    tone: Tone
    sentence: str


@dataclass(frozen=True, slots=True)
class Document:
    """All that a report says; the page, the shell and the model card only tell it."""

    title: str
    subtitle: str
    headline: Finding
    also: tuple[Finding, ...]
    """Against the best prompting, against the baseline, and on other tasks."""
    sections: tuple[Section, ...]

    def section(self, id: str) -> Section:
        """Return the section of that id; KeyError when there is none."""
        for section in self.sections:
            if section.id == id:
                return section
        raise KeyError(id)
