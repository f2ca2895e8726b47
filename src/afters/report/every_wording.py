"""The primary score in every wording that judging asked, and how far they lie apart, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from afters.compare.wordings import Spread, Wordings, spread
from afters.records import Result
from afters.report.blocks import Block, Cell, Paragraph, Points, Section, Table
from afters.report.numbers import count, number, signed, span
from afters.report.told import Told

LONGEST = 160
"""Letters of a wording that are shown; the settings, or the template, have all."""


def wordings(told: Told) -> Section:
    """Return for each task judged in all wordings its table; nothing where none was."""
    if not told.wordings:
        return Section("wordings", "Every wording", ())
    blocks = [block for one in told.wordings for block in _blocks(one)]
    words = (
        "The standard deviation is that of a sample, over these wordings on the same rows: how much of a score is luck "
        "of the wording, though on few rows a part of it is chance as well. The verdict stays with the wording that "
        "was declared to decide. The others explore: none of them is tested, and where nothing has changed, one such "
        "interval in twenty leaves out zero all the same."
    )
    return Section("wordings", "Every wording", (*blocks, Paragraph(words)))


def asked_table(results: Mapping[str, Result], *, task: str, primary: str, decides: str) -> Table:
    """Return the primary score of one model in every wording, with its interval."""
    scores = {wording: result.score(primary) for wording, result in results.items()}
    rows = tuple(
        (Cell(_named(wording, decides=decides)), Cell(number(score.value), note=span(score.low, score.high)))
        for wording, score in scores.items()
    )
    found = spread(score.value for score in scores.values())
    caption = f"{task}: {primary} in every wording, on the same rows"
    return Table(caption, ("Wording", primary), (*rows, *_summary([found], signed_from=1)))


def _blocks(found: Wordings) -> Sequence[Block]:
    before, after, difference = found.spreads.values()
    (better, clearly_better), (worse, clearly_worse) = found.changed()
    words = (
        f"{found.task}: tuning made {found.metric} better in {better} of {count(len(found.each), 'wording')}, and "
        f"worse in {worse}; the interval of the difference leaves out zero in {clearly_better} and {clearly_worse} of "
        f"these. Among the wordings {found.metric} lies {_between(before)} before and {_between(after)} after."
    )
    rows = tuple(
        (
            Cell(_named(one.wording, decides=found.decides), note=_shortened(one.prompt)),
            Cell(number(one.before)),
            Cell(number(one.after)),
            Cell(signed(one.difference), note=_note(one.low, one.high, unjudged=one.unjudged)),
        )
        for one in found.each
    )
    caption = f"{found.task}: {found.metric} in every wording, on the same rows; differences with their 95 % interval"
    summary = _summary([before, after, difference], signed_from=2)
    table = Table(caption, ("Wording", "Before", "After", "Difference"), (*rows, *summary))
    left_out = sorted(found.left_out.items())
    points = tuple(f"Not judged in the wording '{name}': {reason}." for name, reason in left_out)
    return (Paragraph(words), table, *((Points(points),) if points else ()))


def _between(found: Spread) -> str:
    return f"between {number(found.least)} and {number(found.most)} (standard deviation {_small(found)})"


def _summary(columns: Sequence[Spread], *, signed_from: int) -> tuple[tuple[Cell, ...], ...]:
    """Return the lines below a table of wordings; from the column `signed_from` on, numbers are differences."""
    writes = [signed if place >= signed_from else number for place in range(len(columns))]
    pairs = list(zip(writes, columns, strict=True))
    return (
        (Cell("Mean", tone="strong"), *(Cell(write(found.mean), tone="strong") for write, found in pairs)),
        (Cell("Least"), *(Cell(write(found.least)) for write, found in pairs)),
        (Cell("Most"), *(Cell(write(found.most)) for write, found in pairs)),
        (Cell(f"Standard deviation (n = {columns[0].wordings})"), *(Cell(_small(found)) for _, found in pairs)),
    )


def _small(found: Spread) -> str:
    return number(found.standard_deviation)


def _named(wording: str, *, decides: str) -> str:
    return f"{wording} (decides)" if wording == decides else wording


def _note(low: float, high: float, *, unjudged: int) -> str:
    between = span(low, high, sign=True) if math.isfinite(low) and math.isfinite(high) else ""
    return "; ".join(filter(None, [between, f"{count(unjudged)} not judged" if unjudged else ""]))


def _shortened(prompt: str) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
