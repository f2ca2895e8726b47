"""What was not taught, and whether it was kept: in a sentence, as a picture, a table, and a row of what was lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from afters.compare.forgetting import best_value
from afters.compare.kept import Divergence, Kept, KeptWord, Share
from afters.compare.sentence import gain_of
from afters.metrics.table import metric_for
from afters.records import Comparison, Result
from afters.report.blocks import (
    Block,
    Cell,
    Details,
    Figure,
    Finding,
    JudgedRows,
    Paragraph,
    Points,
    Section,
    Table,
    Tone,
)
from afters.report.charts import Estimate, Intervals
from afters.report.judged import changes, side_by_side
from afters.report.numbers import count, number, signed, span
from afters.report.told import Told

WORDS: dict[KeptWord, tuple[str, Tone]] = {
    "kept": ("Kept", "good"),
    "kept_with_a_loss": ("Kept, with a loss", "unsure"),
    "lost": ("Lost", "bad"),
    "cannot_tell": ("Cannot tell", "unsure"),
}
"""How each word is written, and how it is meant."""

KNOWN, FLIPS = "Above guessing, kept", "Right → wrong"
"""Columns that the page alone shows."""


def what_was_kept(told: Told) -> Section:
    """Return what became of the tasks that were not taught; nothing where none was watched over."""
    moved = [_moved(told.divergence)] if told.divergence else []
    return Section("kept", "What was kept", (*(_blocks(told) if told.kept else ()), *moved))


def _moved(found: Divergence) -> Paragraph:
    """Say how far the tuned model has moved from its base where it was taught."""
    unit = "nats for each token of what the base itself says, drawn by chance" if found.drawn else "nats a row"
    value = f"{number(found.value)} ({span(found.low, found.high)}) {unit}"
    return Paragraph(
        f"On {count(found.cases, 'prompt')} of the new task the tuned model has moved from its base by {value}: "
        "forward KL divergence, which foretells how much is lost elsewhere."
    )


def finding(kept: Sequence[Kept]) -> Finding:
    """Return in a sentence how many tasks were kept, and which were lost by how much."""
    safe = [one for one in kept if one.word in ("kept", "kept_with_a_loss")]
    lost = [one for one in kept if one.word == "lost"]
    open_ = [one for one in kept if one.word == "cannot_tell"]
    parts = [f"{len(safe)} of {count(len(kept), 'task')} that were not taught were kept within {_margins(kept)}"]
    if lost:
        parts.append(f"lost: {', '.join(map(_loss, lost))}")
    if open_:
        parts.append(f"not enough to say: {', '.join(one.task for one in open_)}")
    word, tone = WORDS["lost" if lost else "cannot_tell" if open_ else "kept"]
    return Finding(word, tone, f"{'; '.join(parts)}.")


def _margins(kept: Sequence[Kept]) -> str:
    margins = sorted({one.margin for one in kept})
    return f"{margins[0]:g}" if len(margins) == 1 else "their margins"


def _loss(kept: Kept) -> str:
    gain, low, high = gain_of(kept.comparison)
    return f"{kept.task}, by {number(-gain)} [{number(-high)}, {number(-low)}] {kept.comparison.metric}"


def _blocks(told: Told) -> Iterator[Block]:
    found = finding(told.kept)
    yield Paragraph(
        f"{found.sentence} They were asked before and after in the same words. "
        "Kept is said only where a larger loss than the margin, which was declared beforehand, is ruled out."
    )
    on_a_scale = [one for one in told.kept if _is_from_0_to_1(one.comparison)]
    if on_a_scale:
        yield _picture(on_a_scale)
    yield _table(told.kept)
    yield Details("Each task in words", (Points(tuple(f"{one.task}: {one.sentence}" for one in told.kept)),))
    yield from _row_of_a_lost_task(told)


def _is_from_0_to_1(comparison: Comparison) -> bool:
    return comparison.direction == "higher" and best_value(metric_for(comparison.metric)) == 1


def _picture(kept: Sequence[Kept]) -> Figure:
    margins = {one.margin for one in kept}
    shared = next(iter(margins)) if len(margins) == 1 else None
    chart = Intervals(
        title="What became of each task",
        axis="after minus before",
        estimates=tuple(_estimate(one) for one in kept),
        reference=None if shared is None else -shared,
    )
    line = f"; the dashed line marks the largest loss that was declared not to matter, {shared:g}" if shared else ""
    return Figure(f"The change in each task's score on the same rows, with its 95 % interval{line}.", chart)


def _estimate(kept: Kept) -> Estimate:
    change = kept.comparison
    return Estimate(
        label=kept.task,
        text=signed(change.difference),
        value=change.difference,
        low=change.low,
        high=change.high,
        strong=kept.word == "lost",
    )


def _table(kept: Sequence[Kept]) -> Table:
    columns = ("Task", "Score", "From → to", "Change", KNOWN, "Same answers", FLIPS, "Verdict")
    caption = "What was not taught: before and after on the same rows, differences with their 95 % interval"
    return Table(caption, columns, tuple(map(_told, kept)), text_columns=frozenset({0, 1, 7}))


def _told(kept: Kept) -> tuple[Cell, ...]:
    change = kept.comparison
    word, tone = WORDS[kept.word]
    flips = Cell("–", tone="quiet")
    if kept.binary:
        flips = Cell(count(change.worse), note=f"wrong → right: {count(change.better)}")
    return (
        Cell(kept.task, note=count(change.cases, "row")),
        Cell(change.metric),
        Cell(f"{number(change.before_value)} → {number(change.after_value)}"),
        Cell(signed(change.difference), note=span(change.low, change.high, sign=True)),
        _share(kept.retention),
        _share(kept.agreement),
        flips,
        Cell(word, tone=tone, note=f"margin {kept.margin:g}"),
    )


def _share(share: Share | None) -> Cell:
    if share is None:
        return Cell("–", tone="quiet")
    return Cell(f"{100 * share.value:.0f} %", note=f"{100 * share.low:.0f} to {100 * share.high:.0f} %")


def _row_of_a_lost_task(told: Told) -> Iterator[Block]:
    """Show one row of the task that lost most, as one would show it to a colleague."""
    lost = [one for one in told.kept if one.word == "lost" and one.agreement]  # where something was said
    if not lost:
        return
    most = min(lost, key=lambda one: gain_of(one.comparison)[0] / one.margin)
    change, metric = most.comparison, metric_for(most.comparison.metric)
    before, after = (_result(told, most.task, label) for label in ("before", "after"))
    every = changes(before, after, metric, change)
    if not every:
        return
    worst = min(every, key=lambda one: one.gain)
    yield Paragraph(f"One of the {count(change.worse, 'row')} of {most.task} that got worse:")
    yield JudgedRows(change.metric, (side_by_side(worst, change),))


def _result(told: Told, task: str, label: str) -> Result:
    return next(one for one in told.kept_results if (one.task, one.label) == (task, label))
