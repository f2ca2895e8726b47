"""How many rows it takes: the primary score after none, some and all of the teaching rows, as a curve and a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from afters.compare.rows import AtRows, RowCurve
from afters.report.blocks import Block, Cell, Figure, Paragraph, Points, Section, Table
from afters.report.charts import Curve, Line
from afters.report.numbers import count, number, signed, span
from afters.report.told import Told

MOST = 0.8
"""The share of the gain that is worth a sentence: the fewest rows that gave as much are named."""

LAST = {
    "better": "more rows would probably help still",
    "worse": "these rows did harm, and nothing here says that more would help",
    "unclear": "whether more rows would help cannot be told",
}


def how_many_rows(told: Told) -> Section:
    """Return for each task its curve; nothing where fewer rows were not taught as well."""
    blocks = [block for one in told.rows for block in _blocks(one, several=len(told.rows) > 1)]
    return Section("how-many-rows", "How many rows", (*blocks, *([Points(_limits(told.rows[0]))] if blocks else ())))


def _blocks(found: RowCurve, *, several: bool) -> Sequence[Block]:
    smaller = found.each[1:-1]
    words = [_share_told(found, smaller)] if smaller else ["no smaller number of rows was taught."]
    words += [_last_told(found)] if found.last else []
    caption = (
        f"{found.task}: {found.metric} on the same judged rows after so many teaching rows, with its 95 % interval. "
        "The numbers of rows stand evenly apart, not in proportion."
    )
    table = _table(found, several=several)
    return (Paragraph(f"{found.task}: {' '.join(words)}"), Figure(caption, _curve(found)), table)


def _share_told(found: RowCurve, smaller: Sequence[AtRows]) -> str:
    whole, gain = found.whole, found.whole.gain
    if not found.gained:
        between = f"{signed(gain.value)} ({span(gain.low, gain.high, sign=True)})"
        return f"with all {count(whole.rows, 'row')} {found.metric} did not clearly improve: {between}."
    enough = next((one for one in smaller if found.share(one) >= MOST), smaller[-1])
    share = _percent(found.share(enough))
    return f"{count(enough.rows)} of {count(whole.rows, 'row')} gave {share} of the gain in {found.metric}."


def _last_told(found: RowCurve) -> str:
    assert found.last is not None
    first, whole, last = found.each[-2], found.whole, found.last
    ends = f"{number(first.value)} to {number(whole.value)}"
    change = f"{signed(last.value)} ({span(last.low, last.high, sign=True)})"
    small = f"; they gave less than the {number(found.smallest_effect)} that was declared to matter"
    return (
        f"From {count(first.rows)} to {count(whole.rows, 'row')} it went from {ends}, {change}: {LAST[found.last_rows]}"
        f"{small if found.smallest_effect and found.last_too_small else ''}."
    )


def _curve(found: RowCurve) -> Curve:
    line = Line(
        "",
        tuple((float(place), one.value) for place, one in enumerate(found.each)),
        style="dots",
        bars=tuple((one.low, one.high) for one in found.each),
    )
    title = f"{found.metric} by the number of teaching rows"
    places = tuple(count(one.rows) for one in found.each)
    return Curve(title, "teaching rows", found.metric, (line,), places=places)


def _table(found: RowCurve, *, several: bool) -> Table:
    rows = tuple(_row(one, found, several=several) for one in found.each)
    columns = ("Rows taught", *(["Of this task"] if several else []), found.metric, "Against none", "Share of the gain")
    caption = f"{found.task}: {found.metric} by the number of teaching rows, on the same judged rows"
    return Table(caption, columns, rows)


def _row(one: AtRows, found: RowCurve, *, several: bool) -> tuple[Cell, ...]:
    name = count(one.rows) + {0: " (before)", found.whole.rows: " (after)"}.get(one.rows, "")
    between = span(one.low, one.high) if math.isfinite(one.low) else ""
    unjudged = f"{count(one.unjudged)} not judged" if one.unjudged else ""
    score = Cell(number(one.value), note="; ".join(filter(None, [between, unjudged])))
    gain, share = Cell("–", tone="quiet"), Cell("–", tone="quiet")
    if one.rows:
        known = math.isfinite(one.gain.low)
        gain = Cell(signed(one.gain.value), note=span(one.gain.low, one.gain.high, sign=True) if known else "")
        share = Cell(_percent(found.share(one)))
    return (Cell(name), *([Cell(count(one.own_rows))] if several else []), score, gain, share)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %".replace("-", "−") if math.isfinite(share) else "–"


def _limits(found: RowCurve) -> tuple[str, ...]:
    """Say what the curve rests on, and what it cannot tell."""
    return (
        "Each number of rows taught the base anew, once, with the same settings and seed. It holds all rows of a "
        "smaller number, and is taught in as many passes: in fewer steps where there are fewer rows.",
        "The intervals are of the judged rows. How much the luck of a teaching moves a point is not in them.",
        "These numbers explore: none of them is tested, and the verdict speaks of all rows.",
        *_left_out(found),
    )


def _left_out(found: RowCurve) -> Iterator[str]:
    for rows in found.left_out:
        yield f"Not taught: {count(rows, 'row')}, since there are {count(found.whole.rows)}."
