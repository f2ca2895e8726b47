"""How the result was made: training, the rows and their lengths, what was cut, cost, settings, signatures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from afters.records import Prediction, Result
from afters.report.blocks import Block, Cell, Details, Figure, Paragraph, Points, Section, Table
from afters.report.charts import Curve, Line
from afters.report.numbers import against, count, duration, label, number
from afters.report.taught import shares
from afters.report.told import Told

SIDES = ("train", "validation", "test", "unassigned")

_DRAWN = 400
"""Points of a curve: more than the pixels that could show them are averaged."""


def training(told: Told) -> Section:
    """Return the loss over the steps, and the chosen number on the validation rows."""
    if not told.steps:
        return Section("training", "Training", (Paragraph("No training step was recorded."),))
    last = told.steps[-1]
    words = f"{count(last['step'], 'step')}; the last step's training loss was {number(last['loss'])}."
    checked = _points(told.steps, "validation")
    if checked:
        words += f" On validation rows, {told.validation_name} was {number(checked[-1][1])} at the last check."
    broken = sum(not math.isfinite(step["loss"]) for step in told.steps)
    words += f" In {count(broken, 'step')} the loss was not a finite number." if broken else ""
    blocks: tuple[Block, ...] = (Paragraph(words), *shares(told.steps), *_figures(told, checked=checked))
    return Section("training", "Training", blocks)


def lengths(told: Told) -> Section:
    """Return how long prompts and answers are, in tokens."""
    rows = [
        (Cell(_words(side)), Cell(_words(what)), *(Cell(count(value)) for value in numbers))
        for what, sides in told.data.get("lengths", {}).items()
        for side, numbers in sides.items()
        if numbers
    ]
    if not rows:
        return Section("lengths", "Lengths", (Paragraph("Lengths were not recorded."),))
    columns = ("Rows", "What", "Shortest", "Median", "95th percentile", "Longest")
    table = Table("Tokens per row", columns, tuple(rows), text_columns=frozenset({0, 1}))
    return Section("lengths", "Lengths", (table,))


def set_aside(told: Told) -> Section:
    """Return how many rows were read, used and set aside, and why."""
    known = [side for side in SIDES if side in told.data]
    columns = ("Rows", "Read", "Used", "Set aside")
    rows = tuple(
        (Cell(_words(side)), *(Cell(count(told.data[side].get(key, 0))) for key in ("read", "used", "set_aside")))
        for side in known
    )
    blocks: list[Block] = [Table("Rows read are rows used plus rows set aside", columns, rows)] if rows else []
    reasons = told.data.get("set_aside", ())
    blocks += [_reasons(reasons)] if reasons else [Paragraph("No row was set aside.")]
    blocks += [_set_aside(entry) for entry in reasons if entry["examples"]]
    notes = (*_overlaps(told.data.get("overlap", {})), *told.data.get("notes", ()))
    blocks += [Points(notes)] if notes else []
    return Section("set-aside", "Rows set aside", tuple(blocks))


def cut(told: Told) -> Section:
    """Return what did not fit: prompts that were cut, answers that stopped at the limit, rows cut for teaching."""
    columns = ("Answers by", "Answers", "Prompts cut", "Tokens cut", "Stopped at the limit", "Lost shots")
    table = Table("What did not fit, while judging", columns, tuple(_cut_row(result) for result in told.results))
    prepared = tuple(
        (Cell(_words(side)), Cell(_words(what)), Cell(count(value)))
        for side, counts in told.data.get("cut", {}).items()
        for what, value in counts.items()
    )
    caption = "What did not fit, while preparing the rows"
    more = (Table(caption, ("Rows", "What", "Count"), prepared, text_columns=frozenset({0, 1})),) if prepared else ()
    return Section("cut", "What was cut", (table, *more))


def not_measured(told: Told) -> Section:
    """Return what nobody should read into this report."""
    unchecked = {
        (against(comparison), name): None for comparison in told.comparisons for name in comparison.not_checked
    }
    missing = (f"{pair}: whether both have the same {name} could not be checked." for pair, name in unchecked)
    items = (*told.not_measured, *missing)
    blocks: tuple[Block, ...] = (Points(items),) if items else (Paragraph("Nothing was noted."),)
    return Section("not-measured", "What was not measured", blocks)


def cost(told: Told) -> Section:
    """Return what this took, and how long one answer takes."""
    pairs = [_cost(name, value) for name, value in told.costs.items()]
    blocks: list[Block] = [_pairs("What this run took", pairs, numeric=True)] if pairs else []
    answers = [(label(result.label), duration(seconds)) for result in told.results if (seconds := _answering(result))]
    blocks += [_pairs("One answer, as it was batched here", answers, numeric=True)] if answers else []
    return Section("cost", "Cost", tuple(blocks) or (Paragraph("Cost was not recorded."),))


def settings(told: Told) -> Section:
    """Return every setting as resolved, and the versions of what ran."""
    chosen = _pairs("The study as resolved", [(key, _value(value)) for key, value in _flat(told.settings)])
    versions = _pairs("Versions", sorted(told.versions.items()))
    blocks = (Details(count(len(chosen.rows), "setting"), (chosen,)), Details("Versions", (versions,)))
    return Section("settings", "Settings and versions", blocks)


def signatures(told: Told) -> Section:
    """Return each metric's options and version, and what each Result rests on; without them a number says little."""
    found = dict.fromkeys((score.metric, score.signature) for result in told.results for score in result.scores)
    whole = [
        (result.label, result.signature(told.primary))
        for result in told.results
        if result.identity and any(score.name == told.primary for score in result.scores)
    ]
    blocks = (_pairs("Options and versions", list(found)), _pairs(f"What each {told.primary} rests on", whole))
    return Section("signatures", "Signatures", blocks if whole else blocks[:1])


def _figures(told: Told, *, checked: tuple[tuple[float, float], ...]) -> Iterator[Figure]:
    points = _points(told.steps, "loss")
    if not points:
        return
    thin = _averaged(points, parts=_DRAWN)
    lines = [Line("", thin, style="faint"), Line("training", _smooth(thin), style="strong")]
    name = told.validation_name
    same_unit = name.removeprefix("validation_") == "loss"
    lines += [Line("validation", checked, style="dots")] if checked and same_unit else []
    losses = [loss for line in lines for _, loss in line.points]
    logarithmic = min(losses) > 0 and max(losses) / min(losses) > 8
    caption = "Loss per taught token, in nats: each step faint, and its running mean."
    yield Figure(caption, Curve("Training loss", "step", "loss", tuple(lines), logarithmic=logarithmic))
    if checked and not same_unit:
        chart = Curve(f"{name} on validation rows", "step", name, (Line(name, checked, style="dots"),))
        yield Figure(f"{name} on validation rows, by which the weights to keep may be chosen.", chart)


def _points(steps: Sequence[Mapping[str, float]], key: str) -> tuple[tuple[float, float], ...]:
    """Return the steps at which `key` was measured, with what it was; what is not finite cannot be drawn."""
    found = ((float(step["step"]), float(step[key])) for step in steps if step.get(key) is not None)
    return tuple(point for point in found if math.isfinite(point[1]))


def _averaged(points: tuple[tuple[float, float], ...], *, parts: int) -> tuple[tuple[float, float], ...]:
    """Average neighbours so that at most `parts` points are left."""
    size = -(-len(points) // parts)
    return tuple(_mean(points[start : start + size]) for start in range(0, len(points), size))


def _smooth(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Average each point with those about it: a window of a twentieth of the curve, shorter at both ends."""
    reach = max(1, len(points) // 40)
    about = [min(reach, place, len(points) - 1 - place) for place in range(len(points))]
    return tuple(_mean(points[place - near : place + near + 1]) for place, near in enumerate(about))


def _mean(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)


def _reasons(reasons: Sequence[Mapping[str, Any]]) -> Table:
    ordered = sorted(reasons, key=lambda entry: -entry["count"])
    rows = tuple(
        (Cell(entry["reason"]), Cell(_words(entry.get("side", "train"))), Cell(count(entry["count"])))
        for entry in ordered
    )
    return Table("Why rows were set aside", ("Reason", "Rows", "Count"), rows, text_columns=frozenset({0, 1}))


def _overlaps(overlap: Mapping[str, Any]) -> Iterator[str]:
    """Say for each judging side whether its text had stood among the teaching rows as they were given."""
    for side in ("validation", "test"):
        if side in overlap:
            judging, teaching = overlap[side]["judging_rows"], overlap[side]["teaching_rows"]
            yield (
                f"{count(judging, f'{side} row')} had the same text as a teaching row as given; "
                f"{count(teaching, 'teaching row was', plural='teaching rows were')} set aside for it."
            )


def _set_aside(entry: Mapping[str, Any]) -> Details:
    rows = tuple((Cell(example["source"]), Cell(example.get("detail", ""))) for example in entry["examples"])
    caption = f"Some of the rows set aside for: {entry['reason']}"
    table = Table(caption, ("Row", "Detail"), rows, text_columns=frozenset({0, 1}))
    return Details(f"Examples: {entry['reason']}", (table,), quotes_rows=True)


def _cut_row(result: Result) -> tuple[Cell, ...]:
    predictions = [prediction for case in result.cases for prediction in case.predictions]
    numbers = (
        len(predictions),
        sum(prediction.tokens_cut > 0 for prediction in predictions),
        sum(prediction.tokens_cut for prediction in predictions),
        sum(_at_the_limit(prediction) for prediction in predictions),
        sum(case.lost_shots for case in result.cases),
    )
    return (Cell(label(result.label)), *(Cell(count(value)) for value in numbers))


def _at_the_limit(prediction: Prediction) -> bool:
    return not prediction.finished


def _answering(result: Result) -> float:
    """Return the mean seconds of an answer; 0 where they were not taken."""
    seconds = [prediction.seconds for case in result.cases for prediction in case.predictions]
    return sum(seconds) / max(1, len(seconds))


def _cost(name: str, value: float) -> tuple[str, str]:
    if name == "answers_from_cache":
        return "Answers taken from the cache, at the seconds they once took", count(value)
    words, _, unit = name.rpartition("_")
    if unit == "mb":
        return _words(words), f"{value / 1024:.1f} GB" if value >= 1024 else f"{value:.0f} MB"
    stage = words if unit == "seconds" and words else name
    return (label(stage) if label(stage) != stage else _words(stage)), duration(value)


def _pairs(caption: str, pairs: Sequence[tuple[str, str]], *, numeric: bool = False) -> Table:
    rows = tuple((Cell(key), Cell(value)) for key, value in pairs)
    return Table(caption, ("Name", "Value"), rows, text_columns=frozenset({0} if numeric else {0, 1}))


def _flat(nested: Mapping[str, Any], *, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted names and values, as `--set` takes them; the entries of a list of tables by their place."""
    for key, value in nested.items():
        if isinstance(value, Mapping):
            yield from _flat(value, above=f"{above}{key}.")
        elif isinstance(value, (list, tuple)) and value and all(isinstance(entry, Mapping) for entry in value):
            for place, entry in enumerate(value):
                yield from _flat(entry, above=f"{above}{key}[{place}].")
        else:
            yield f"{above}{key}", value


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(entry) for entry in value) or "none"
    return "none" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()
