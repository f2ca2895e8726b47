"""Figures as inline SVG: estimates with their intervals, and curves over training steps.

Pure functions of plain records. Every element takes its colour from a class that the page's style sheet defines, so
that a figure follows the reader's light or dark; every figure says in words what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

from afters.report.inert import inert

NARROW = 360
"""Below this many units of width a label stands over its interval, not beside it."""

_LETTER = 6.6
"""Units that one letter of a chart takes at 12 units of height: a mean over sans-serif faces."""

_BOLD_LETTER = 7.6


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval, in words and as a place on the axis."""

    label: str
    text: str
    value: float
    low: float | None = None
    high: float | None = None
    strong: bool = False
    """Whether this is what the figure is about."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Estimates under one another on a common axis."""

    title: str
    axis: str
    estimates: tuple[Estimate, ...]
    reference: float | None = None
    """Where a thin line is drawn through all rows, to compare with."""
    chance: float | None = None
    """What guessing gives."""


@dataclass(frozen=True, slots=True)
class Line:
    """Points in order, and how they are drawn."""

    label: str
    points: tuple[tuple[float, float], ...]
    style: Literal["faint", "strong", "dots"] = "strong"
    bars: tuple[tuple[float, float], ...] = ()
    """The interval of each point; nan for a point that has none."""
    beside: bool = False
    """Whether the label stands beside the last point, and not at the edge of the drawing."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Lines on common axes."""

    title: str
    x_axis: str
    y_axis: str
    lines: tuple[Line, ...]
    logarithmic: bool = False
    places: tuple[str, ...] = ()
    """What stands under 0, 1, 2 and so on across, evenly apart; numbers where nothing is told."""


class Axis(NamedTuple):
    """A stretch of numbers laid on a stretch of the drawing."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where `value` stands in the drawing."""
        turn = math.log10 if self.logarithmic else float
        share = (turn(value) - turn(self.low)) / (turn(self.high) - turn(self.low))
        return self.start + share * (self.end - self.start)


def draw(chart: Intervals | Curve, *, width: int) -> str:
    """Return the chart as one SVG element, `width` units wide; draw it once for each width of page."""
    return intervals(chart, width=width) if isinstance(chart, Intervals) else curve(chart, width=width)


def intervals(chart: Intervals, *, width: int) -> str:
    """Return dots with their intervals, one row each, labelled directly; estimates that are nan have no dot."""
    narrow = width <= NARROW
    step, top = (46, 22) if narrow else (34, 14)
    left, right = (8, 8) if narrow else (_label_width(chart), 168)
    bottom = top + step * len(chart.estimates)
    axis = _interval_axis(chart, start=left + 6, end=width - right - 6)
    parts = [_vertical(axis.place(tick), top - 8, bottom - 8, "grid") for tick in ticks(axis)]
    parts += [_text(axis.place(tick), bottom + 9, short(tick), "tick", anchor="middle") for tick in ticks(axis)]
    parts += _guides(chart, axis=axis, top=top, bottom=bottom)
    for place, estimate in enumerate(chart.estimates):
        parts += _estimate(estimate, axis=axis, y=top + step * place + step / 2 - 8, width=width, narrow=narrow)
    parts.append(_text((axis.start + axis.end) / 2, bottom + 30, chart.axis, "axis", anchor="middle"))
    said = "; ".join(f"{estimate.label}: {estimate.text}" for estimate in chart.estimates)
    return _svg(parts, width=width, height=bottom + 38, title=chart.title, said=said)


def curve(chart: Curve, *, width: int) -> str:
    """Return lines over steps, each labelled at its end; a logarithmic axis wants numbers above zero."""
    height, left, top = (250 if width <= NARROW else 300), 50, 30
    right = 92 if any(line.label and not line.beside for line in chart.lines) else 24
    inset = 14 if chart.places else 0  # half a place's name
    points = [point for line in chart.lines for point in line.points if math.isfinite(point[1])]
    heights = [y for _, y in points] + [end for line in chart.lines for bar in line.bars for end in bar]
    across = _fitted([x for x, _ in points], start=left + inset, end=width - right - inset, margin=0.0)
    up = _fitted(heights, start=height - 48, end=top, logarithmic=chart.logarithmic, margin=0.06)
    parts = [_horizontal(left, width - right, up.place(tick), "grid") for tick in ticks(up)]
    parts += [_text(left - 8, up.place(tick) + 4, short(tick), "tick", anchor="end") for tick in ticks(up)]
    named = _named(chart.places, across=across) if chart.places else {at: short(at) for at in ticks(across)}
    parts += [_text(across.place(at), height - 30, name, "tick", anchor="middle") for at, name in named.items()]
    parts += [_text(left - 42, 14, chart.y_axis + (" (logarithmic)" if chart.logarithmic else ""), "axis")]
    parts += [_text((across.start + across.end) / 2, height - 8, chart.x_axis, "axis", anchor="middle")]
    for line in chart.lines:
        parts += _line(line, across=across, up=up)
    parts += _end_labels(chart.lines, across=across, up=up)
    said = "; ".join(_said(line, chart.places) for line in chart.lines if line.label or chart.places)
    return _svg(parts, width=width, height=height, title=chart.title, said=said)


def ticks(axis: Axis) -> list[float]:
    """Return round numbers on the axis; on a logarithmic one 1, 2 and 5 times powers of ten, or powers alone."""
    if axis.logarithmic:
        powers = range(math.floor(math.log10(axis.low)), math.ceil(math.log10(axis.high)) + 1)
        every = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
        within = [value for value in every if axis.low <= value <= axis.high]
        return within if len(within) <= 8 else [value for value in within if value in {10.0**power for power in powers}]
    rough = (axis.high - axis.low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * digit for digit in (1, 2, 2.5, 5, 10) if unit * digit >= rough)
    first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
    return [step * place for place in range(first, last + 1)]


def short(value: float) -> str:
    """Write an axis number with no more digits than it needs.

    >>> short(0.30000000000000004), short(2500.0), short(-0.5)
    ('0.3', '2,500', '−0.5')
    """
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def _label_width(chart: Intervals) -> float:
    widths = [len(one.label) * (_BOLD_LETTER if one.strong else _LETTER) for one in chart.estimates]
    return min(200.0, max(widths, default=0.0) + 14)


def _interval_axis(chart: Intervals, *, start: float, end: float) -> Axis:
    places = [chart.reference, chart.chance]
    places += [place for estimate in chart.estimates for place in (estimate.low, estimate.value, estimate.high)]
    return _fitted([place for place in places if place is not None], start=start, end=end, margin=0.05)


def _fitted(values: Sequence[float], *, start: float, end: float, margin: float, logarithmic: bool = False) -> Axis:
    """Fit an axis to the finite values, with a margin as a share of their range; to one value, around it."""
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    if logarithmic:
        room = (high / low) ** margin if high > low else 2.0
        return Axis(low / room, high * room, start, end, logarithmic=True)
    room = (high - low) * margin if high > low else max(abs(high) * 0.1, 0.5)
    at_zero = low >= 0 and low < room  # a margin that would cross zero stops there: few scores are negative
    return Axis(0.0 if at_zero else low - room, high + room, start, end)


def _guides(chart: Intervals, *, axis: Axis, top: float, bottom: float) -> list[str]:
    parts = []
    if chart.reference is not None and math.isfinite(chart.reference):
        parts.append(_vertical(axis.place(chart.reference), top - 8, bottom - 8, "reference"))
    if chart.chance is not None:
        place = axis.place(chart.chance)
        parts.append(_vertical(place, top - 8, bottom - 8, "chance"))
        parts.append(_text(place + 4, top - 2, "guessing", "tick"))
    return parts


def _estimate(estimate: Estimate, *, axis: Axis, y: float, width: float, narrow: bool) -> list[str]:
    kind = "strong" if estimate.strong else "plain"
    above = y - 12 if narrow else y + 4
    label = estimate.label if len(estimate.label) <= 29 else estimate.label[:28] + "…"
    parts = [
        _text(4 if narrow else axis.start - 16, above, label, f"label {kind}", anchor="start" if narrow else "end")
    ]
    parts.append(_text(width - 4, above, estimate.text, f"value {kind}", anchor="end"))
    if not math.isfinite(estimate.value):
        return parts
    if estimate.low is not None and estimate.high is not None:
        ends = axis.place(estimate.low), axis.place(estimate.high)
        parts.append(_horizontal(*ends, y, f"interval {kind}"))
        parts += [_vertical(end, y - 4, y + 4, f"interval {kind}") for end in ends]
    parts.append(f'<circle class="dot {kind}" cx="{axis.place(estimate.value):.1f}" cy="{y:.1f}" r="5"/>')
    return parts


def _line(line: Line, *, across: Axis, up: Axis) -> list[str]:
    places = [(across.place(x), up.place(y)) for x, y in line.points if math.isfinite(y)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="line {line.style}" points="{path}"/>']
    for (x, y), (low, high) in zip(line.points, line.bars, strict=False):
        if math.isfinite(y) and math.isfinite(low) and math.isfinite(high):
            at, ends = across.place(x), (up.place(high), up.place(low))
            parts += [_vertical(at, *ends, "interval"), *(_horizontal(at - 4, at + 4, end, "interval") for end in ends)]
    if line.style == "dots":
        parts += [f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="3.5"/>' for x, y in places]
    return parts


def _named(places: Sequence[str], *, across: Axis) -> dict[float, str]:
    """Return which places have their names under them: the last, and of the others as many as have room."""
    room = (across.end - across.start) / max(1, len(places) - 1)
    every = math.ceil((max(map(len, places)) * _LETTER + 6) / room)
    return {float(place): name for place, name in enumerate(places) if (len(places) - 1 - place) % every == 0}


def _said(line: Line, places: Sequence[str]) -> str:
    """Return what a line shows in words: each point where places are named, else where it ends."""
    if not places:
        return f"{line.label} ends at {short(line.points[-1][1])}"
    bars = line.bars or ((math.nan, math.nan),) * len(line.points)
    pairs = zip(places, line.points, bars, strict=True)
    return "; ".join(
        f"{name}: {short(y)}" + (f" ({short(low)} to {short(high)})" if math.isfinite(low) else "")
        for name, (_, y), (low, high) in pairs
    )


def _end_labels(lines: Sequence[Line], *, across: Axis, up: Axis) -> list[str]:
    """Label each named line right of its last point, pushed apart where two would touch."""
    named = sorted((line for line in lines if line.label and not line.beside), key=lambda line: -line.points[-1][1])
    parts, lowest = [_beside(line, across=across, up=up) for line in lines if line.beside], -math.inf
    for line in named:
        lowest = max(up.place(line.points[-1][1]) + 4, lowest + 15)
        parts.append(_text(across.end + 9, lowest, line.label, f"end {line.style}"))
    return parts


def _beside(line: Line, *, across: Axis, up: Axis) -> str:
    """Label a line above its last point, to the side where there is room."""
    x, y = across.place(line.points[-1][0]), up.place(line.points[-1][1]) - 7
    left = x > (across.start + across.end) / 2
    return _text(x - 6 if left else x + 6, y, line.label, f"end {line.style}", anchor="end" if left else "start")


def _vertical(x: float, top: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'


def _horizontal(left: float, right: float, y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(x: float, y: float, words: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(inert(words))}</text>'


def _svg(parts: Sequence[str], *, width: float, height: float, title: str, said: str) -> str:
    head = f'<svg class="chart" role="img" viewBox="0 0 {width:g} {height:g}">'
    return f"{head}<title>{escape(inert(title))}</title><desc>{escape(inert(said))}</desc>{''.join(parts)}</svg>"
