"""A document, built once from what was found; the page, the shell and the model card tell it, so they agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from afters.report.blocks import Document, Section
from afters.report.cures import learned_against_kept
from afters.report.every_wording import wordings
from afters.report.findings import BETTER, also, comparisons, finding, glance, scores
from afters.report.glossary import glossary
from afters.report.how_many_rows import how_many_rows
from afters.report.judged import judged_rows
from afters.report.kept import what_was_kept
from afters.report.making import cost, cut, lengths, not_measured, set_aside, settings, signatures, training
from afters.report.numbers import count
from afters.report.stages import stages
from afters.report.told import Told

__all__ = ["Document", "Told", "build", "compared"]

SECTIONS = (
    glance,
    scores,
    comparisons,
    what_was_kept,
    learned_against_kept,
    stages,
    wordings,
    how_many_rows,
    judged_rows,
    training,
    lengths,
    set_aside,
    cut,
    not_measured,
    cost,
    settings,
    signatures,
    glossary,
)
"""The sections in the order in which a reader asks for them: what, how sure, show me, how, what not."""


COMPARED = (scores, comparisons, not_measured)
"""The sections about results that were only compared: how they were made is not known here."""


def build(told: Told) -> Document:
    """Return the document of a run."""
    return _document(told, SECTIONS)


def compared(told: Told) -> Document:
    """Return the document of results that were compared as they lay on disk."""
    return _document(told, COMPARED)


def _document(told: Told, parts: Sequence[Callable[[Told], Section]]) -> Document:
    first = told.headline
    sections = tuple(section for part in parts if (section := part(told)).blocks)
    subtitle = (
        f"Task {first.task}, {count(first.cases, 'judged row')}. "
        f"Primary score: {first.metric}, {BETTER[first.direction]}."
    )
    return Document(told.name, subtitle, finding(first), also(told), sections)
