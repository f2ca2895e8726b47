"""Learned against kept: the run's own model, what it was on its way, and each model that may lose less."""

from __future__ import annotations

import math

from afters.compare.cures import ENOUGH, Cure, NoControl, has_control, uncontrolled
from afters.compare.rows import Difference
from afters.report.blocks import Cell, Figure, Finding, Paragraph, Points, Section, Table, Tone
from afters.report.charts import Curve, Line
from afters.report.numbers import count, number, signed, span
from afters.report.told import Told


def learned_against_kept(told: Told) -> Section:
    """Return what was tried so that less is lost, and what came of it; nothing where nothing was tried."""
    if not told.cures:
        return Section("cures", "Learned against kept", ())
    return Section(
        "cures",
        "Learned against kept",
        (Paragraph(finding(told).sentence), _line(told), _table(told), Points(_limits(told))),
    )


def _line(told: Told) -> Figure | Paragraph:
    """Return the picture of the line, or why there is none."""
    if not math.isfinite(told.cures[0].change.value):
        return Paragraph(
            "What must not be lost is scored without a scale, as bits per byte is: how much of it a model has kept "
            "cannot be set against its gain, and so none is called a cure."
        )
    line = (
        "The line leads from the base through the run's own checkpoints to its end: whoever stops earlier learns less "
        "and loses less. A cure stands above it."
    )
    if not has_control(told.cures):
        line = f"The line leads straight from the base to the run's own model. {uncontrolled(_why(told))}"
    return Figure(
        "Across: the mean change of what was not taught, on scores from 0 to 1. Up: what was gained in "
        f"{told.headline.metric}, with its 95 % interval. {line}",
        _picture(told),
    )


def _why(told: Told) -> NoControl:
    """Return why no model of the run's own stands on its way, so far as its log tells."""
    validated = [line["step"] for line in told.steps if line.get("validation") is not None]
    own = round(told.cures[0].strength * len(told.steps))
    return "at first" if validated and own <= validated[0] else "not kept"


def _called_cures(told: Told) -> list[Cure]:
    """Return what is called a cure: nothing where there is no control, whatever an older run wrote down."""
    return [one for one in told.cures if one.is_one] if has_control(told.cures) else []


def finding(told: Told) -> Finding:
    """Return in a sentence which of the models that may lose less is a cure, if one is."""
    if cures := _called_cures(told):
        best = max(cures, key=lambda one: (one.share.value, one.change.value))
        words = (
            f"{said(best)} kept {count(len(best.kept))} of {count(best.tasks, 'task')} with {_percent(best.share)} of "
            f"the gain, and learned more by {_with_ends(best.above)} than the plain run had where it had kept as much."
        )
        return Finding("Mended", "good", words)
    able = [one for one in told.cures if one.keeps_enough and math.isfinite(one.change.value)]
    if able and not has_control(told.cures):
        best = max(able, key=lambda one: (one.share.value, one.change.value))
        kept = f"{count(len(best.kept))} of {count(best.tasks, 'task')} with {_percent(best.share)} of the gain"
        return Finding("Cannot tell", "unsure", f"{said(best)} kept {kept}. {uncontrolled(_why(told))}")
    return _not_mended(told)


def _not_mended(told: Told) -> Finding:
    """Return how near the models came of which none is a cure."""
    tried = [one for one in told.cures if not one.is_control]
    keeping = [one for one in tried if len(one.kept) == one.tasks]
    if not keeping:
        nearest = max(tried, key=lambda one: (len(one.kept), -len(one.lost), one.change.value))
        words = f"Of {count(len(tried), 'model')} that may lose less none kept every task"
        if nearest.kept:
            kept = f"{count(len(nearest.kept))} of {count(nearest.tasks)}"
            words += f"; {said(nearest)} kept most, {kept}, with {_percent(nearest.share)} of the gain"
        words += "."
        return Finding("Not mended", "unsure", words)
    most = max(keeping, key=lambda one: one.share.value)
    beyond = "" if most.above.low > 0 else ", and is not shown to be better than fewer steps of the plain run"
    words = f"Of those that kept every task, {said(most)} has most of the gain: {_percent(most.share)}{beyond}."
    return Finding("Not mended", "unsure", words)


def said(cure: Cure) -> str:
    """Return what a model is, in words."""
    share = f"{100 * cure.strength:g} %"
    match cure.kind:
        case "plain":
            return "the run's own model"
        case "checkpoint":
            return f"the run's own after {100 * cure.strength:.0f} % of its steps"
        case "replay":
            return f"{share} replay"
        case "rehearsal":
            return f"{share} of its own words"
        case "kl":
            return f"{share} held to the base"
        case "l2_sp":
            return f"L2-SP of {cure.strength:g}"
        case "interpolation":
            return f"{share} of the way"
        case "strength":
            return f"{share} of the adapter"


def _picture(told: Told) -> Curve:
    control = sorted((one for one in told.cures if one.is_control), key=lambda one: one.strength)
    points = ((0.0, 0.0), *((one.change.value, one.learned.value) for one in control))
    lines = [Line("", points, style="strong", bars=((math.nan, math.nan), *map(_bar, control)))]
    for one in told.cures:
        if not one.is_control:
            place = ((one.change.value, one.learned.value),)
            lines.append(Line(said(one), place, style="dots", bars=(_bar(one),), beside=True))
    return Curve("Learned against kept", "mean change of what was not taught", "gain", tuple(lines))


def _bar(cure: Cure) -> tuple[float, float]:
    return cure.learned.low, cure.learned.high


def _table(told: Told) -> Table:
    columns = ("Model", "Learned", "Share of the gain", "What was not taught", "Kept", "Above the line")
    caption = "What each model gained, what it kept, and how far it is above fewer steps of the plain run"
    called, controlled = _called_cures(told), has_control(told.cures)
    rows = [_row(one, is_cure=one in called, controlled=controlled) for one in told.cures]
    return Table(caption, columns, tuple(rows))


def _row(cure: Cure, *, is_cure: bool, controlled: bool) -> tuple[Cell, ...]:
    tone: Tone = "good" if is_cure else ""
    notes = [*(["a cure"] if is_cure else []), *(["chosen on validation rows"] if cure.chosen else [])]
    above = Cell("–", tone="quiet")
    if controlled and not cure.is_control and math.isfinite(cure.above.value):
        above = Cell(signed(cure.above.value), note=_span(cure.above))
    lost = f"lost: {len(cure.lost)}" if cure.lost else ""
    return (
        Cell(said(cure), note="; ".join(notes), tone=tone),
        Cell(signed(cure.learned.value), note=_span(cure.learned)),
        _share(cure.share),
        Cell(signed(cure.change.value), note=_span(cure.change)),
        Cell(f"{len(cure.kept)} of {cure.tasks}", note=lost),
        above,
    )


def _limits(told: Told) -> tuple[str, ...]:
    several = "The gain is that of the first task. " if len(told.tasks) > 1 else ""
    return (
        f"{several}A model is called a cure where every task is kept within its margin, {100 * ENOUGH:.0f} % of the "
        "gain stays, and the interval of what it learned above the line leaves out zero.",
        "Each was made once. The mean change and what lies above the line resample the judged rows; that several were "
        "tried is not paid for, so the best of many looks better than it is.",
    )


def _with_ends(value: Difference) -> str:
    return f"{number(value.value)} [{number(value.low)}, {number(value.high)}]"


def _span(value: Difference) -> str:
    return span(value.low, value.high, sign=True)


def _share(share: Difference) -> Cell:
    if not math.isfinite(share.value):
        return Cell("–", tone="quiet")
    return Cell(f"{100 * share.value:.0f} %", note=f"{100 * share.low:.0f} to {100 * share.high:.0f} %")


def _percent(share: Difference) -> str:
    if not math.isfinite(share.value):
        return "an unproven share"
    return f"{100 * share.value:.0f} % [{100 * share.low:.0f}, {100 * share.high:.0f}]"
