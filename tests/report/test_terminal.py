from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from afters.report.document import Told, build
from afters.report.numbers import number, signed
from afters.report.terminal import print_document


def printed(told: Told, *, encoding: str = "utf-8", terminal: bool = False, width: int = 120) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=terminal, color_system="standard" if terminal else None)
    print_document(build(told), console, page="runs/chats/report.html")
    stream.flush()
    return raw.getvalue().decode(encoding)


def test_the_headline_comes_first_and_the_place_of_the_page_last(told: Told) -> None:
    lines = printed(told).splitlines()
    assert lines[1] == f"Improved. {told.comparisons[0].sentence}"
    assert lines[-1] == "The whole report: runs/chats/report.html"


def test_the_numbers_are_those_of_the_run(told: Told) -> None:
    said = printed(told)
    for result in told.results:
        assert all(number(score.value) in said for score in result.scores)
    assert all(signed(comparison.difference) in said for comparison in told.comparisons)


def test_nothing_but_plain_text_is_written_where_there_is_no_terminal(told: Told) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", printed(told))


def test_in_a_terminal_only_colours_of_our_own_escape(told: Told) -> None:
    said = printed(told, terminal=True)
    assert "\x1b[" in said
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", re.sub(r"\x1b\[[0-9;]*m", "", said))


@pytest.mark.parametrize(
    ("place", "shown"), [(4, "⟨U+001B⟩[31mred⟨U+001B⟩[0m ⟨U+001B⟩]8;;"), (7, "[bold]markup[/bold] :bomb:")]
)
def test_escapes_and_markup_in_answers_are_shown_not_obeyed(told: Told, place: int, shown: str) -> None:
    only = slice(place, place + 1)
    results = tuple(
        replace(result, cases=result.cases[only], rows={"overlap": result.rows["overlap"][only]})
        for result in told.results
    )
    assert f"After: after: {shown}" in printed(replace(told, results=results))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_an_old_encoding_is_no_reason_to_fail(told: Told, encoding: str) -> None:
    assert "0.350" in printed(told, encoding=encoding)


def test_the_tables_fit_eighty_columns(told: Told) -> None:
    assert max(map(len, printed(told, width=80).splitlines())) <= 80
