"""Checks that need a tokenizer: what is cut, what can never be written, which choices begin alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from afters.data.checks import SHOWN, WHOLE, Finding, Instance, Share, in_rows
from afters.data.split import SIDES
from afters.records import Example
from afters.study.work import TaskAtHand

if TYPE_CHECKING:
    from afters.model.prompt import Prompter

TOKEN_CHECKS = ("prompts cut", "answers too long to be written", "choices that begin alike")

LOOKED_AT = 1_000
"""Judged rows whose own choices are encoded; where all rows have the same choices, one row tells."""


def check_tokens(task: TaskAtHand, prompter: Prompter, *, max_new_tokens: int) -> Iterator[Finding]:
    """Yield what is found in the encoded rows of a task."""
    measured = task.measured
    yield from in_rows(
        task.sides,
        {side: rows.cut > 0 for side, rows in measured.items()},
        name="prompts cut",
        severity="warns",
        what=f"prompts are longer than the {prompter.max_prompt_tokens:,} tokens that the model reads, and are cut",
        way_out=f"Raise [model] max_prompt_tokens, or shorten the column {task.train.template.cut}; what is cut off is "
        "neither taught nor read.",
        detail=lambda side, row: f"{measured[side].cut[row]:,} tokens cut",
    )
    if task.asks and not task.train.template.choices:
        yield from _never_written(task, max_new_tokens=max_new_tokens)
    if task.asks and task.train.template.choices:
        yield from _alike(task, prompter)


def _never_written(task: TaskAtHand, *, max_new_tokens: int) -> Iterator[Finding]:
    """Find answers with more tokens than a model may write; that one which ends them need not be written."""
    answers = {side: task.measured[side].answers - 1 for side in SIDES[1:]}
    yield from in_rows(
        task.sides,
        {side: tokens > max_new_tokens for side, tokens in answers.items()},
        name="answers too long to be written",
        severity="warns",
        what=f"right answers have more than the {max_new_tokens:,} tokens that a model may write",
        way_out=f"Raise [judge] max_new_tokens; the longest has {max(map(max, answers.values())):,}.",
        detail=lambda side, row: f"{answers[side][row]:,} tokens",
    )


def _alike(task: TaskAtHand, prompter: Prompter) -> Iterator[Finding]:
    """Find choices whose first token another choice has too.

    Nothing that Afters scores rests on it, because whole choices are scored: `model/scoring.py`.
    """
    what = "begin with the same token as another, so that first tokens alone could not tell them apart"
    way_out = "Nothing: Afters scores whole choices. Only a program that looks at first tokens needs other words."
    if isinstance(task.test.template.choices, str):
        rows = [(example, _groups(example, prompter)) for example in task.test[:LOOKED_AT]]
        found = [(example, groups[0]) for example, groups in rows if groups]
        places = [Instance(example.source, _quoted(group)) for example, group in found]
        share = Share(len(found), len(rows))
        what = f"rows have choices that {what}"
    else:
        groups = _groups(task.test[0], prompter)
        places = [Instance("choices", _quoted(group)) for group in groups]
        share = Share(sum(map(len, groups)), len(task.test.template.choices or ()))
        what = f"choices {what}"
    if share.part:
        side = "test" if isinstance(task.test.template.choices, str) else WHOLE
        yield Finding("choices that begin alike", "tells", what, {side: share}, tuple(places[:SHOWN]), way_out)


def _groups(example: Example, prompter: Prompter) -> list[list[str]]:
    """Return the choices of a row that begin with one token, where they are several."""
    begun = len(prompter.choice(""))  # what some decoders are given before every text
    by_token: defaultdict[int, list[str]] = defaultdict(list)
    for text, ids in zip(example.choices, prompter.choices(example), strict=True):
        if len(ids) > begun:
            by_token[ids[begun]].append(text)
    return [group for group in by_token.values() if len(group) > 1]


def _quoted(choices: list[str]) -> str:
    shown = ", ".join(f"'{choice[:40]}'" for choice in choices[:SHOWN])
    return f"{shown}, and {len(choices) - SHOWN:,} more" if len(choices) > SHOWN else shown
