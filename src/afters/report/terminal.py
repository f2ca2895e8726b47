"""The document in the shell: headline, scores, comparisons and two judged rows; the page has the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from afters.data.checks import WHOLE, Severity
from afters.data.checks import Finding as Found
from afters.report.blocks import Cell, Document, Finding, JudgedRow, JudgedRows, Paragraph, Points, Section, Table, Tone
from afters.report.inert import inert

STYLES: dict[Tone, str] = {
    "": "",
    "good": "bold green",
    "bad": "bold red",
    "unsure": "bold yellow",
    "even": "bold",
    "strong": "bold",
    "quiet": "dim",
}

SEVERITIES: dict[Severity, str] = {"spoils": "bold red", "warns": "bold yellow", "tells": "bold"}

LONGEST = 320
"""Letters of a question or an answer that are shown here; the page shows all."""

ON_THE_PAGE = frozenset({"From → to", "Better / worse / same", "Above guessing, kept", "Right → wrong"})
"""Columns that would make a table wider than a shell; the page has them."""

TABLES = frozenset({"scores", "comparisons", "kept", "cures", "stages", "wordings", "training"})
"""Sections whose tables are shown."""

SENTENCES = frozenset({"comparisons", "wordings", "how-many-rows"})
"""Sections whose sentences are shown."""

_PLAIN = str.maketrans({"−": "-", "–": "-", "…": "...", "→": "->"})


def print_document(document: Document, console: Console, *, page: Path | str | None = None) -> None:
    """Print what a reader wants first, and where the page with the rest is; plain text when not to a terminal.

    Where there is no page, what was not measured stands here, and no rows.
    """
    say = _Writer(console)
    say.line(f"{document.title}. {document.subtitle}", style="dim")
    for finding in (document.headline, *document.also):
        say.finding(finding)
    for section in document.sections:
        for block in section.blocks:
            if isinstance(block, Table) and section.id in (TABLES if page is not None else TABLES - {"training"}):
                say.table(block, notes=section.id in ("comparisons", "kept", "cures", "wordings"))
            elif isinstance(block, Paragraph) and section.id in SENTENCES:
                say.line(block.text)
    if page is None:
        say.points(document.section("not-measured"))
        return
    for block in document.section("rows").blocks:
        if isinstance(block, JudgedRows):
            say.rows(block)
    say.line(f"The whole report: {page}")


def print_scores(tables: Iterable[Table], console: Console, *, folder: Path | str) -> None:
    """Print the scores of an evaluation with their intervals, and where the answers are."""
    say = _Writer(console)
    for table in tables:
        say.table(table, notes=True)
    say.line(f"The answers: {folder}. To compare them: afters compare OTHER {folder}")


def print_checks(findings: Sequence[Found], nothing_by: Sequence[str], console: Console) -> None:
    """Print what the checks of a task's rows found, what spoils a run first, and which of them found nothing."""
    say = _Writer(console)
    for finding in findings:
        say.found(finding)
    if nothing_by:
        say.line(f"nothing found by: {', '.join(nothing_by)}", style="dim")


class _Writer:
    """Writes text from anywhere to a console, which never reads markup, escapes or emoji names in it."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def text(self, words: str, *, style: str = "") -> Text:
        """Return inert text, in letters that this console's encoding has."""
        said = inert(words)
        try:
            said.encode(self.console.encoding)
        except UnicodeEncodeError:
            said = (
                said.translate(_PLAIN).encode(self.console.encoding, "backslashreplace").decode(self.console.encoding)
            )
        return Text(said, style=style)

    def show(self, *parts: RenderableType) -> None:
        self.console.print(*parts, markup=False, highlight=False, emoji=False)

    def line(self, words: str, *, style: str = "") -> None:
        self.show(self.text(words, style=style))

    def finding(self, finding: Finding) -> None:
        word = self.text(f"{finding.word}. ", style=STYLES[finding.tone])
        self.show(word.append_text(self.text(finding.sentence)))

    def found(self, found: Found) -> None:
        """Print a finding: how bad, what, in how many rows of which sides; below it the rows and the way out."""
        head = self.text(f"{found.severity:<7}", style=SEVERITIES[found.severity]).append_text(self.text(found.name))
        shares = (
            f"{'' if side == WHOLE else side + ' '}{part:,} of {of:,}" for side, (part, of) in found.shares.items()
        )
        self.show(head.append_text(self.text(f"  {', '.join(shares)}", style="bold")))
        rows = (f"{row.source} ({row.detail})" if row.detail else row.source for row in found.places)
        for words, style in ((found.what, ""), ("; ".join(rows), "dim"), (f"→ {found.way_out}", "")):
            self.show(Padding(self.text(words, style=style), (0, 0, 0, 7), expand=False))

    def table(self, table: Table, *, notes: bool) -> None:
        grid = Grid(box=box.SIMPLE_HEAD, title=self.text(table.caption), title_justify="left", title_style="dim")
        shown = [place for place, column in enumerate(table.columns) if column not in ON_THE_PAGE]
        for place in shown:
            justify: Literal["left", "right"] = "left" if place in table.text_columns else "right"
            grid.add_column(self.text(table.columns[place]), justify=justify, overflow="fold")
        for row in table.rows:
            head = self.text(row[0].text, style=STYLES[row[0].tone])
            grid.add_row(head, *(self.cell(row[place], note=notes) for place in shown[1:]))
        self.show(grid)

    def cell(self, cell: Cell, *, note: bool) -> Text:
        """Return a cell, with its note below, as an interval under a difference; the page has every note."""
        said = self.text(cell.text, style=STYLES[cell.tone])
        return said.append_text(self.text(f"\n{cell.note}", style="dim")) if note and cell.note else said

    def points(self, section: Section) -> None:
        self.line(f"{section.title}:", style="dim")
        for block in section.blocks:
            for item in block.items if isinstance(block, Points) else ():
                self.line(f"- {item}")

    def rows(self, block: JudgedRows) -> None:
        """Show the most improved and the most worsened row."""
        ends = (next((row for row in block.rows if row.tone == tone), None) for tone in ("good", "bad"))
        for row in filter(None, ends):
            self.line(
                f"{row.source}  {block.score} {row.before.score} → {row.after.score} ({row.change})", style="bold"
            )
            for name, said in _parts(row):
                self.show(Padding(self.text(f"{name}: {_shortened(said)}"), (0, 0, 0, 2)))
            self.line("")


def _parts(row: JudgedRow) -> Iterator[tuple[str, str]]:
    yield "Asked", row.asked
    yield from (("A person wrote", reference) for reference in row.references)
    for side in (row.before, row.after):
        yield side.label, "".join(words.text for words in side.words) or "(nothing was answered)"


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
