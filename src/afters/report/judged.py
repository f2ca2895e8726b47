"""Judged rows side by side: what was asked, what a person wrote, what the model answered before and after."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from afters.metrics.metric import Metric, stacked
from afters.records import Case, Comparison, Result
from afters.report.blocks import Answer, JudgedRow, JudgedRows, Paragraph, Section, Tone, Words
from afters.report.numbers import count, label, number, signed
from afters.report.told import Told

SHOWN = 10
"""How many rows are shown: enough to see a pattern, few enough to be read."""

_WORDS = re.compile(r"\S+\s*|\s+")


class Change(NamedTuple):
    """One Case on both sides, with its scores; `gain` is positive when after is better."""

    before: Case
    after: Case
    before_score: float
    after_score: float
    gain: float


def judged_rows(told: Told) -> Section:
    """Return the rows that changed most, the most improved and the most worsened, and how many are not shown."""
    first = told.headline
    before, after = (told.result(side, task=first.task) for side in (first.before, first.after))
    every = changes(before, after, told.metric, first)
    if not every:
        words = f"One row by itself has no {first.metric}, so no row is said to have got better or worse."
        return Section("rows", "Judged rows, side by side", (Paragraph(words),))
    shown = chosen(every)
    improved = sum(change.gain > 0 for change in shown)
    worsened = sum(change.gain < 0 for change in shown)
    words = (
        f"Of {count(first.cases, 'judged row')}, {count(first.better)} got better, {count(first.worse)} got worse and "
        f"{count(first.same)} stayed the same by {first.metric}. Shown, with the largest change first: "
        f"{count(improved)} of the most improved and {count(worsened)} of the most worsened; "
        f"{count(len(every) - len(shown), 'row is', plural='rows are')} not shown. "
        "Marked words stand in the nearest reference too, in the same order."
    )
    rows = tuple(side_by_side(change, first) for change in shown)
    return Section("rows", "Judged rows, side by side", (Paragraph(words), JudgedRows(told.primary, rows)))


def changes(before: Result, after: Result, metric: Metric, first: Comparison) -> list[Change]:
    """Return the Cases that both sides of a comparison could judge, in the order of the file."""
    scores, scores_after = (_scores(side, metric, name=first.metric) for side in (before, after))
    scored_after = {case.id: (case, score) for case, score in zip(after.cases, scores_after, strict=True)}
    found = []
    for case, score in zip(before.cases, scores, strict=True):
        other, other_score = scored_after.get(case.id, (None, None))
        if other is not None and score is not None and other_score is not None:
            gain = other_score - score if first.direction == "higher" else score - other_score
            found.append(Change(case, other, score, other_score, gain))
    return found


def chosen(every: Sequence[Change], *, most: int = SHOWN) -> list[Change]:
    """Return up to `most` rows, half of them from each end; where one end is short the other fills up.

    Where nothing changed, the first rows stand for all.
    """
    ordered = sorted(every, key=lambda change: -change.gain)
    improved = [change for change in ordered if change.gain > 0]
    worsened = [change for change in reversed(ordered) if change.gain < 0]
    half = most // 2
    from_worsened = min(len(worsened), max(half, most - len(improved)))
    shown = improved[: most - from_worsened] + worsened[:from_worsened]
    return sorted(shown, key=lambda change: -abs(change.gain)) or list(every[:half])


def _scores(result: Result, metric: Metric, *, name: str) -> list[float | None]:
    """Score every Case by itself, in one call; None where it could not be judged, or not by itself."""
    rows = result.rows.get(metric.name, (None,) * len(result.cases))
    judged = [row for row in rows if row is not None]
    if not judged:
        return [None] * len(rows)
    column = metric.names.index(name)
    values = iter(metric.from_totals(stacked(judged))[:, column].tolist())
    scores = [math.nan if row is None else next(values) for row in rows]
    return [score if math.isfinite(score) else None for score in scores]


def side_by_side(change: Change, first: Comparison) -> JudgedRow:
    """Return a Case as it is shown, with the labels of the comparison's two sides."""
    example = change.before.examples[0]
    tone: Tone = "good" if change.gain > 0 else "bad" if change.gain < 0 else "even"
    return JudgedRow(
        id=change.before.id,
        source=example.source,
        asked=_asked(change.before),
        references=example.references,
        before=_answer(change.before, label(first.before), change.before_score),
        after=_answer(change.after, label(first.after), change.after_score),
        change=signed(change.after_score - change.before_score),
        tone=tone,
    )


def _asked(case: Case) -> str:
    example = case.examples[0]
    parts = [f"System: {example.system}"] if example.system else []
    parts += [f"({count(len(example.shots), 'solved example')} before it)"] if example.shots else []
    parts += [example.prompt]
    parts += [f"(and {count(len(case.examples) - 1, 'more question')} of the same group)"] if case.examples[1:] else []
    return "\n".join(parts)


def _answer(case: Case, side: str, score: float) -> Answer:
    prediction = case.predictions[0]
    text = prediction.answers[0] if prediction.answers else _likeliest(case)
    return Answer(side, marked(text, references=case.examples[0].references), number(score))


def _likeliest(case: Case) -> str:
    """Return the choice with the highest log-probability, where the model was asked to choose, not to write."""
    example, scores = case.examples[0], case.predictions[0].choices
    if not scores:
        return ""
    best = max(range(len(scores)), key=lambda place: scores[place].log_probability)
    return example.choices[best]


def marked(text: str, *, references: Sequence[str]) -> tuple[Words, ...]:
    """Split `text` into stretches that the nearest reference has too, in the same order, and others.

    >>> [(words.text, words.shared) for words in marked("A red hat", references=["a blue hat"])]
    [('A ', True), ('red ', False), ('hat', True)]
    """
    words = _WORDS.findall(text)
    folded = [_folded(word) for word in words]
    matchers = [
        SequenceMatcher(None, folded, [_folded(word) for word in _WORDS.findall(reference)], autojunk=False)
        for reference in references
    ]
    if not matchers:
        return (Words(text, shared=False),) if text else ()
    nearest = max(matchers, key=lambda matcher: sum(block.size for block in matcher.get_matching_blocks()))
    stretches, done = [], 0
    for block in nearest.get_matching_blocks():
        stretches.append(Words("".join(words[done : block.a]), shared=False))
        stretches.append(Words("".join(words[block.a : block.a + block.size]), shared=True))
        done = block.a + block.size
    return tuple(stretch for stretch in stretches if stretch.text)


def _folded(word: str) -> str:
    stripped = re.sub(r"\W+", "", word)
    return (stripped or word.strip()).casefold()
