from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from afters.report.document import Told, build
from afters.report.inert import inert
from afters.report.numbers import number, signed
from afters.report.page import render

ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "link",
    "base",
    "form",
    "img",
    "video",
    "audio",
    "foreignobject",
    "use",
}
LOADING = {
    "src",
    "href",
    "xlink:href",
    "action",
    "formaction",
    "srcset",
    "data",
    "poster",
    "background",
    "ping",
    "style",
}
VOID = {"meta", "circle", "line", "polyline"}


class Page(HTMLParser):
    """Every tag and attribute of a page, its text, and the tags left open."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture
def page(told: Told) -> Page:
    return Page(render(build(told)))


def test_the_page_has_no_active_node_and_no_event_attribute(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ACTIVE
        assert not [name for name in attributes if name.startswith("on")]


def test_the_page_loads_nothing(told: Told, page: Page) -> None:
    for _, attributes in page.tags:
        for name in LOADING & set(attributes):
            assert name == "href" and (attributes[name] or "").startswith("#")
    (style,) = re.findall(r"<style>(.*?)</style>", render(build(told)), flags=re.DOTALL)
    assert "url(" not in style and "@import" not in style


def test_every_tag_is_closed_where_it_was_opened(page: Page) -> None:
    assert page.open == []


def test_the_policy_allows_this_style_sheet_and_nothing_else(told: Told) -> None:
    html = render(build(told))
    ((_, policy),) = [
        (name, attributes["content"])
        for name, attributes in Page(html).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    (style,) = re.findall(r"<style>(.*?)</style>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_hostile_texts_are_read_as_they_are_written(page: Page, hostile: tuple[str, ...]) -> None:
    changed = [text for place, text in enumerate(hostile) if place not in (3, 10, 11)]  # rows that are shown, not empty
    for text in changed:
        assert " ".join(inert(text).split()) in " ".join(page.text.split())


def test_no_acting_character_reaches_the_page(told: Told) -> None:
    html = render(build(told))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2028\ufeff\ud800-\udfff]", html)
    html.encode("utf-8")


def test_templates_in_data_are_not_run(page: Page) -> None:
    assert "{{ 7 * 7 }} {% raw %}" in page.text


def test_every_section_is_there_and_the_contents_lead_to_it(told: Told, page: Page) -> None:
    expected = [section.id for section in build(told).sections]
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section"] == expected
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == [f"#{section}" for section in expected]


def test_the_numbers_on_the_page_are_those_of_the_run(told: Told, page: Page) -> None:
    for result in told.results:
        for score in result.scores:
            assert number(score.value) in page.text
    for comparison in told.comparisons:
        assert signed(comparison.difference) in page.text
        assert comparison.sentence in page.text


def test_every_figure_is_drawn_for_two_widths_and_has_a_name(page: Page) -> None:
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert [attributes["viewbox"].split()[2] for attributes in drawn if attributes["viewbox"]] == ["760", "340"] * 2
    assert all(attributes["role"] == "img" for attributes in drawn)


def test_the_same_run_gives_the_same_page(told: Told) -> None:
    assert render(build(told)) == render(build(told))
