"""The document as one HTML file that needs nothing else: no network, no scripts, no fonts but the reader's own."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from afters.report import blocks, charts
from afters.report.blocks import Document
from afters.report.charts import Curve, Intervals
from afters.report.inert import inert

WIDTHS = (("wide", 760), ("narrow", 340))
"""Each figure is drawn for a desk and for a pocket, in units that come out near pixels, so that its words stay
readable; the style sheet shows one of the two."""

FOLDED = 260
"""A question of more letters than this opens on demand."""


def render(document: Document) -> str:
    """Return the page; the same document gives the same page, byte for byte."""
    style = _file("page.css")
    return _template().render(document=document, style=Markup(style), policy=_policy(style))


def figure(chart: Intervals | Curve) -> Markup:
    """Draw a chart once for each width of page."""
    drawn = (f'<div class="{name}">{charts.draw(chart, width=width)}</div>' for name, width in WIDTHS)
    return Markup("".join(drawn))


def _policy(style: str) -> str:
    """Return a content security policy under which nothing loads or runs but this very style sheet."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["block"] = lambda block, name: type(block) is getattr(blocks, name)
    environment.filters["figure"] = figure
    environment.globals["folded"] = FOLDED
    return environment.from_string(_file("page.html"))


def _finalize(value: object) -> object:
    """Make text inert on its way to the page, whoever wrote it; what is markup already is ours."""
    return inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _file(name: str) -> str:
    return resources.files("afters.report").joinpath(name).read_text(encoding="utf-8")
