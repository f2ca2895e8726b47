"""What was found: the headline, the figure, the scores and the comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence

from afters.records import Comparison, Result, Score
from afters.report import cures, kept
from afters.report.blocks import TONES, Block, Cell, Details, Figure, Finding, Paragraph, Points, Section, Table
from afters.report.charts import Estimate, Intervals
from afters.report.numbers import VERDICTS, against, count, label, number, probability, signed, span
from afters.report.told import Told

BETTER = {"higher": "higher is better", "lower": "lower is better"}


def finding(comparison: Comparison) -> Finding:
    """Return a Comparison's verdict and sentence."""
    return Finding(VERDICTS[comparison.verdict], TONES[comparison.verdict], comparison.sentence)


def also(told: Told) -> tuple[Finding, ...]:
    """Return what must stand beside the headline: prompting, the baseline, and the primary scores of other tasks."""
    first = told.headline
    beside = [
        comparison
        for comparison in told.comparisons[1:]
        if (comparison.kind != "tuning" and (comparison.task, comparison.metric) == (first.task, first.metric))
        or (comparison.primary and comparison.task != first.task)
    ]
    lost = [kept.finding(told.kept)] if told.kept else []
    mended = [cures.finding(told)] if told.cures else []
    return (*map(finding, beside), *lost, *mended)


def glance(told: Told) -> Section:
    """Return the figure that shows the primary score of every Result of the primary comparison's task."""
    first = told.headline
    results = [result for result in told.results_of(first.task) if _score(result, told.primary)]
    scores = [result.score(told.primary) for result in results]
    pairs = zip(results, scores, strict=True)
    chart = Intervals(
        title=f"{told.primary} of every way of answering",
        axis=f"{told.primary} ({BETTER[first.direction]})",
        estimates=tuple(_estimate(result, score, strong=result.label == first.after) for result, score in pairs),
        reference=told.result(first.before, task=first.task).score(told.primary).value,
        chance=scores[0].chance,
    )
    caption = (
        f"{told.primary} on the same {count(first.cases, 'judged row')}. A dot is the score; the bar is its 95 % "
        f"interval; the dashed line marks {label(first.before).lower()}."
    )
    return Section("glance", "At a glance", (Figure(caption, chart),))


def scores(told: Told) -> Section:
    """Return one table for each task: every score of every Result."""
    tables = [_score_table(told, task=task) for task in told.tasks]
    note = Paragraph(
        "Under each score stands its 95 % interval where one was computed. A row that a metric could not judge is "
        "counted as such, never as zero."
    )
    return Section("scores", "All scores", (*tables, note))


def comparisons(told: Told) -> Section:
    """Return what changed and how sure that is, then what these numbers of rows could show."""
    blocks: tuple[Block, ...] = (
        _comparison_table(told.comparisons),
        Details("Each comparison in words", (Points(tuple(comparison.sentence for comparison in told.comparisons)),)),
        *_empty_answers(told.comparisons),
        Details("How much these rows could show, and how each number was computed", (_power_table(told),)),
    )
    return Section("comparisons", "Comparisons", blocks)


def _empty_answers(comparisons: Sequence[Comparison]) -> tuple[Paragraph, ...]:
    """Say how many answers were empty, where some were; they count like any other."""
    first = comparisons[0]
    if not first.before_empty and not first.after_empty:
        return ()
    sides = f"{count(first.before_empty)} of {first.before}, {count(first.after_empty)} of {first.after}"
    return (Paragraph(f"Empty answers, which are scored like any other: {sides}."),)


def _score(result: Result, name: str) -> Score | None:
    return next((score for score in result.scores if score.name == name), None)


def _estimate(result: Result, score: Score, *, strong: bool) -> Estimate:
    between = span(score.low, score.high)
    text = f"{number(score.value)}  ({between})" if between else number(score.value)
    return Estimate(label(result.label), text, score.value, score.low, score.high, strong=strong)


def _score_table(told: Told, *, task: str) -> Table:
    caption = f"{task}: every score of every way of answering; the best of a line in bold"
    decides = [one.metric for one in told.comparisons if one.primary and one.task == task]
    return score_table(told.results_of(task), primary=decides[0] if decides else told.primary, caption=caption)


def score_table(results: Sequence[Result], *, primary: str, caption: str) -> Table:
    """Return a table of every score of Results of one task, the primary score first."""
    names = dict.fromkeys(score.name for result in results for score in result.scores)
    ordered = sorted(names, key=lambda name: name != primary)
    rows = tuple(_score_row(name, results=results, primary=name == primary) for name in ordered)
    columns = ("Score", *(label(result.label) for result in results))
    return Table(caption, columns, rows)


def _score_row(name: str, *, results: Sequence[Result], primary: bool) -> tuple[Cell, ...]:
    found = [_score(result, name) for result in results]
    known = [score for score in found if score is not None]
    finite = [score.value for score in known if math.isfinite(score.value)]
    best = (max if known[0].direction == "higher" else min)(finite, default=math.nan)
    note = BETTER[known[0].direction] + (f"; guessing gives {number(known[0].chance)}" if known[0].chance else "")
    head = Cell(name, note=("primary; " if primary else "") + note, tone="strong" if primary else "")
    return (head, *(_score_cell(score, best=best) for score in found))


def _score_cell(score: Score | None, *, best: float) -> Cell:
    if score is None:
        return Cell("–", tone="quiet")
    notes = [span(score.low, score.high)]
    notes += [f"± {number(score.spread)} by chance of the answers"] if score.spread is not None else []
    notes += [f"{count(score.unjudged)} not judged"] if score.unjudged else []
    shown_best = number(score.value) == number(best) and math.isfinite(score.value)
    return Cell(number(score.value), note="; ".join(filter(None, notes)), tone="strong" if shown_best else "")


def _comparison_table(comparisons: Sequence[Comparison]) -> Table:
    columns = ("Comparison", "Score", "Verdict", "From → to", "Difference", "p", "Better / worse / same")
    confidence = f"{comparisons[0].confidence * 100:g} % interval"
    caption = f"What changed on the same rows, in the score's own unit, with its {confidence}"
    rows = tuple(_comparison_row(comparison) for comparison in comparisons)
    return Table(caption, columns, rows, text_columns=frozenset({0, 1, 2}))


def _comparison_row(comparison: Comparison) -> tuple[Cell, ...]:
    changed = (comparison.better, comparison.worse, comparison.same)
    flips = " / ".join(map(count, changed)) if any(changed) else "–"
    notes = [comparison.task, "primary" if comparison.primary else ""]
    by = {"": "", "Holm": " (Holm)", "Benjamini-Hochberg": " (BH)"}[comparison.correction]
    corrected = f"corrected {probability(comparison.p_corrected)}{by}"
    return (
        Cell(against(comparison), note=", ".join(filter(None, notes))),
        Cell(comparison.metric),
        Cell(VERDICTS[comparison.verdict], tone=TONES[comparison.verdict]),
        Cell(f"{number(comparison.before_value)} → {number(comparison.after_value)}"),
        Cell(signed(comparison.difference), note=span(comparison.low, comparison.high, sign=True), tone="strong"),
        Cell(probability(comparison.p_value), note=corrected),
        Cell(flips),
    )


def _power_table(told: Told) -> Table:
    columns = ("Comparison", "Score", "Rows", "Clusters", "Not judged", "Smallest effect that matters")
    more = ("Smallest that would show", "Rows needed", "Interval", "Test")
    caption = "A difference would show when it is found with 80 % probability at this number of rows"
    rows = tuple(_power_row(comparison) for comparison in told.comparisons)
    return Table(caption, (*columns, *more), rows, text_columns=frozenset({0, 1, 8, 9}))


def _power_row(comparison: Comparison) -> tuple[Cell, ...]:
    needed = "–" if comparison.cases_needed is None else count(comparison.cases_needed)
    smallest = number(comparison.smallest_effect) if comparison.smallest_effect else "none declared"
    return (
        Cell(against(comparison)),
        Cell(comparison.metric),
        Cell(count(comparison.cases)),
        Cell(count(comparison.clusters)),
        Cell(count(comparison.unjudged)),
        Cell(smallest),
        Cell(number(comparison.detectable)),
        Cell(needed),
        Cell(comparison.interval),
        Cell(comparison.test),
    )
