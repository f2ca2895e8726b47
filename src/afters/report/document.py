"""A document, built once from what was found; the page, the shell and the model card tell it, so they agree."""

from __future__ import annotations

from afters.report.blocks import Document, Section
from afters.report.findings import BETTER, also, comparisons, finding, glance, scores
from afters.report.glossary import glossary
from afters.report.judged import judged_rows
from afters.report.making import cost, cut, lengths, not_measured, set_aside, settings, signatures, training
from afters.report.numbers import count
from afters.report.told import Told

__all__ = ["Document", "Told", "build"]

SECTIONS = (
    glance,
    scores,
    comparisons,
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


def build(told: Told) -> Document:
    """Return the document of a run."""
    first = told.headline
    sections: tuple[Section, ...] = tuple(section(told) for section in SECTIONS)
    subtitle = (
        f"Task {first.task}, {count(first.cases, 'judged row')}. "
        f"Primary score: {first.metric}, {BETTER[first.direction]}."
    )
    return Document(told.name, subtitle, finding(first), also(told), sections)
