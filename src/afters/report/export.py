"""The findings for other programs and other readers: versioned JSON, and a model card."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from afters.compare.wordings import spread
from afters.data.checks import Finding
from afters.data.split import NORMALISER
from afters.records import Result, Score
from afters.report.blocks import Block, Cell, Details, Paragraph, Points, Section, Table
from afters.report.document import build
from afters.report.inert import inert
from afters.report.taught import taught
from afters.report.told import Told

SCHEMA = "afters.verdict/1"

SCORES = "afters.scores/1"

PREVIEW = "afters.preview/1"

CARD_SECTIONS = (
    *("scores", "comparisons", "kept", "cures", "stages", "wordings", "how-many-rows"),
    *("set-aside", "not-measured", "settings", "signatures"),
)
"""What of the document a model card tells: no rows, because a card is published and rows are the company's."""


def verdict_json(told: Told) -> str:
    """Return the comparisons, the primary one first, and all scores, as JSON of schema `afters.verdict/1`.

    No time, no path and no host is in it, and numbers have 12 significant digits: equal runs give equal files.
    A number that is not finite is null.
    """
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "study": told.name,
        "primary": told.primary,
        "comparisons": [asdict(comparison) for comparison in told.comparisons],
        "scores": [_score(score, result=result) for result in told.results for score in result.scores],
        "not_measured": list(told.not_measured),
    }
    if shares := taught(told.steps):
        found["taught"] = [share._asdict() for share in shares]
    for name, some in (("wordings", told.wordings), ("rows", told.rows), ("kept", told.kept), ("cures", told.cures)):
        if some:
            found[name] = [one.plain() for one in some]
    if told.stages:
        found["stages"] = told.stages.plain()
    if told.divergence:
        found["divergence"] = asdict(told.divergence)
    return _json(found)


def scores_json(
    study: str,
    model: str,
    results: Iterable[Result],
    *,
    primary: Mapping[str, str],
    wordings: Mapping[str, Mapping[str, Result]],
) -> str:
    """Return the scores of a model that was only asked, as JSON of schema `afters.scores/1`; numbers as above.

    `primary` names each task's score that decides; `wordings` has, for tasks judged in all wordings, each one's Result.
    """
    scores = [_score(score, result=result) for result in results for score in result.scores]
    found = {"schema": SCORES, "study": study, "model": model, "primary": dict(primary), "scores": scores}
    if wordings:
        found["wordings"] = [_wordings(task, asked, primary=primary[task]) for task, asked in wordings.items()]
    return _json(found)


def preview_json(study: str, tasks: Iterable[Mapping[str, Any]], *, spoilt: bool) -> str:
    """Return what a preview shows of each task as JSON of schema `afters.preview/1`."""
    return _json({"schema": PREVIEW, "study": study, "spoilt": spoilt, "normaliser": NORMALISER, "tasks": list(tasks)})


def finding_plain(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain values."""
    return {
        "name": finding.name,
        "severity": finding.severity,
        "what": finding.what,
        "count": finding.count,
        "of": finding.of,
        "sides": {side: {"count": share.part, "of": share.of} for side, share in finding.shares.items()},
        "places": [place._asdict() for place in finding.places],
        "way_out": finding.way_out,
    }


def _json(found: Mapping[str, Any]) -> str:
    return json.dumps(_steady(found), sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def model_card(told: Told, *, base: str) -> str:
    """Return a model card in Markdown: what was tuned from `base`, what that changed, and what it cannot say."""
    document = build(told)
    head = ["---", f"base_model: {json.dumps(inert(base))}", "tags:", "- afters", "---", ""]
    head += [f"# {_plain(document.title)}", "", f"Tuned from {_plain(base)}. {_plain(document.subtitle)}", ""]
    findings = (document.headline, *document.also)
    said = [line for found in findings for line in (f"**{found.word}.** {_plain(found.sentence)}", "")]
    told_of = (section for section in document.sections if section.id in CARD_SECTIONS)
    sections = [line for section in told_of for line in _section(section)]
    return "\n".join(head + said + sections)


def _score(score: Score, *, result: Result) -> dict[str, Any]:
    return {"result": result.label, "task": result.task, **asdict(score)}


def _wordings(task: str, asked: Mapping[str, Result], *, primary: str) -> dict[str, Any]:
    scores = {wording: result.score(primary) for wording, result in asked.items()}
    each = [{"wording": wording, **_score(score, result=asked[wording])} for wording, score in scores.items()]
    found = spread(score.value for score in scores.values())
    return {"task": task, "metric": primary, "decides": next(iter(asked)), "each": each, "spread": found._asdict()}


def _steady(value: Any) -> Any:
    """Round every number to 12 significant digits, which survive another machine's order of summing."""
    if isinstance(value, dict):
        return {key: _steady(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_steady(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.12g}") + 0.0 if math.isfinite(value) else None
    return value


def _section(section: Section) -> list[str]:
    return [f"## {section.title}", "", *_blocks(section.blocks)]


def _blocks(blocks: Sequence[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        if isinstance(block, Paragraph):
            lines += [_plain(block.text), ""]
        elif isinstance(block, Points):
            lines += [*(f"- {_plain(item)}" for item in block.items), ""]
        elif isinstance(block, Table):
            lines += [*_table(block), ""]
        elif isinstance(block, Details) and not block.quotes_rows:
            lines += _blocks(block.blocks)
    return lines


def _table(table: Table) -> list[str]:
    rule = (":--" if place in table.text_columns else "--:" for place in range(len(table.columns)))
    rows = ((_cell(cell) for cell in row) for row in table.rows)
    return [f"{_plain(table.caption)}:", "", _row(map(_plain, table.columns)), _row(rule), *map(_row, rows)]


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    return _plain(f"{cell.text} ({cell.note})" if cell.note else cell.text)


def _plain(text: str) -> str:
    """Return text that Markdown reads as words only: on one line, with every mark of Markdown and HTML escaped."""
    return re.sub(r"([\\`*_\[\]<>|#&~])", r"\\\1", " ".join(inert(text).split()))
