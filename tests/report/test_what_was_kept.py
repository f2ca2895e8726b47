"""What was not taught, as page, shell, card and verdict.json tell it."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from comparisons import case, result
from rich.console import Console

from afters.compare.forgetting import keep, together
from afters.compare.kept import Kept
from afters.metrics.match import ExactMatch
from afters.records import Result
from afters.report.blocks import Details, Figure, JudgedRows, Paragraph, Table
from afters.report.charts import draw
from afters.report.document import build
from afters.report.export import model_card, verdict_json
from afters.report.page import render
from afters.report.terminal import print_document
from afters.report.told import Told


def sides(task: str, before: Sequence[int], after: Sequence[int]) -> tuple[Result, Result]:
    """Cases that are right or wrong."""

    def made(label: str, rights: Sequence[int]) -> Result:
        cases = [case(f"row-{number:03}", answer="no yes".split()[right]) for number, right in enumerate(rights)]
        return replace(result(label, ExactMatch(), cases, [(float(right), 1.0) for right in rights]), task=task)

    return made("before", before), made("after", after)


RESULTS = {
    "names": sides("names", [1] * 200, [1] * 200),
    "topics": sides("topics", [1] * 160 + [0] * 40, [1] * 100 + [0] * 60 + [1] * 10 + [0] * 30),
    "dates": sides("dates", [1, 0] * 10, [1, 0] * 9 + [0, 1]),
}


@pytest.fixture
def watched(told: Told) -> Told:
    kept = [keep(*pair, ExactMatch(), score="exact_match", chance=0.0) for pair in RESULTS.values()]
    results = tuple(one for pair in RESULTS.values() for one in pair)
    return replace(told, kept=tuple(together(kept)), kept_results=results)


def of_kind(told: Told, kind: type) -> list[object]:
    return [block for block in build(told).section("kept").blocks if isinstance(block, kind)]


def test_where_nothing_was_watched_nothing_is_told(told: Told) -> None:
    assert "kept" not in [section.id for section in build(told).sections]
    assert "kept" not in json.loads(verdict_json(told)) and "What was kept" not in render(build(told))


def test_one_sentence_says_what_was_kept_what_was_lost_and_what_cannot_be_told(watched: Told) -> None:
    said = build(watched).also[-1]
    assert (said.word, said.tone) == ("Lost", "bad")
    lost = watched.kept[1].comparison
    assert said.sentence == (
        "1 of 3 tasks that were not taught were kept within 0.05; "
        f"lost: topics, by 0.250 [{-lost.high:.3f}, {-lost.low:.3f}] exact_match; not enough to say: dates."
    )
    kept = replace(watched, kept=watched.kept[:1])
    assert build(kept).also[-1].word == "Kept"
    assert build(replace(watched, kept=watched.kept[2:])).also[-1].word == "Cannot tell"


def test_the_table_tells_the_change_what_is_left_the_flips_and_the_word(watched: Told) -> None:
    (table,) = of_kind(watched, Table)
    assert isinstance(table, Table)
    names, topics, dates = table.rows
    assert [cell.text for cell in topics] == [
        *("topics", "exact_match", "0.800 → 0.550", "−0.250", "69 %", "65 %"),
        *("60", "Lost"),
    ]
    assert topics[6].note == "wrong → right: 10" and topics[7].note == "margin 0.05"
    assert (names[7].text, dates[7].text) == ("Kept", "Cannot tell")


def test_the_picture_marks_the_margin_and_leaves_out_scores_without_a_scale(watched: Told) -> None:
    (figure,) = of_kind(watched, Figure)
    assert isinstance(figure, Figure)
    texts = {node.text for node in ET.fromstring(draw(figure.chart, width=700)).iter("text")}
    assert {"names", "topics", "dates", "−0.250"} <= texts
    assert figure.chart.reference == -0.05  # type: ignore[union-attr]
    other = replace(watched, kept=(replace(watched.kept[0], margin=0.1), *watched.kept[1:]))
    (figure,) = of_kind(other, Figure)
    assert isinstance(figure, Figure) and figure.chart.reference is None  # type: ignore[union-attr]
    bits = replace(watched.kept[0], comparison=replace(watched.kept[0].comparison, direction="lower"))
    assert not of_kind(replace(watched, kept=(bits,)), Figure)


def test_a_row_of_the_task_that_lost_most_is_shown(watched: Told) -> None:
    (rows,) = of_kind(watched, JudgedRows)
    assert isinstance(rows, JudgedRows)
    (row,) = rows.rows
    assert (row.tone, row.before.score, row.after.score) == ("bad", "1.000", "0.000")
    assert "One of the 60 rows of topics that got worse:" in [
        block.text for block in of_kind(watched, Paragraph) if isinstance(block, Paragraph)
    ]
    assert not of_kind(replace(watched, kept=watched.kept[:1]), JudgedRows)


def test_page_shell_card_and_json_tell_the_same(watched: Told) -> None:
    shell = io.StringIO()
    print_document(build(watched), Console(file=shell, width=110), page="report.html")
    for form in (render(build(watched)), shell.getvalue(), model_card(watched, base="afters-tiny")):
        assert "1 of 3 tasks that were not taught were kept within 0.05; lost: topics" in " ".join(form.split())
    (details,) = of_kind(watched, Details)
    assert isinstance(details, Details)
    assert [Kept.read(one) for one in json.loads(verdict_json(watched))["kept"]][0].word == "kept"
