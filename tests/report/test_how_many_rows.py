"""What a study with fewer rows beside tells, in every form; the numbers are written by hand."""

from __future__ import annotations

import io
import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from rich.console import Console

from afters.compare.rows import AtRows, Difference, RowCurve
from afters.report.blocks import Figure, Paragraph, Points, Table
from afters.report.charts import draw
from afters.report.document import Told, build
from afters.report.export import model_card, verdict_json
from afters.report.page import render
from afters.report.terminal import print_document

EACH = (
    AtRows(0, 0, 0.3, 0.25, 0.35, Difference(0.0, 0.0, 0.0), 0),
    AtRows(100, 100, 0.4, 0.35, 0.45, Difference(0.1, 0.02, 0.18), 0),
    AtRows(500, 500, 0.47, 0.42, 0.52, Difference(0.17, 0.1, 0.24), 2),
    AtRows(1200, 1200, 0.5, 0.45, 0.55, Difference(0.2, 0.15, 0.25), 0),
)
FOUND = RowCurve("chats", "overlap1", "higher", 0.05, EACH, Difference(0.03, 0.01, 0.06), (5000,))


def telling(told: Told, **changes: object) -> Told:
    return replace(told, rows=(replace(FOUND, **changes),))  # type: ignore[arg-type]


@pytest.fixture
def curved(told: Told) -> Told:
    return telling(told)


def blocks(told: Told) -> tuple[Paragraph, Figure, Table, Points]:
    sentence, figure, table, points = build(told).section("how-many-rows").blocks
    assert isinstance(sentence, Paragraph) and isinstance(figure, Figure)
    assert isinstance(table, Table) and isinstance(points, Points)
    return sentence, figure, table, points


def said(told: Told) -> str:
    return blocks(told)[0].text


def test_where_no_fewer_rows_were_taught_nothing_is_told(told: Told) -> None:
    assert "how-many-rows" not in [section.id for section in build(told).sections]
    assert "rows" not in json.loads(verdict_json(told)) and "How many rows" not in render(build(told))


def test_the_fewest_rows_that_gave_four_fifths_of_the_gain_are_named(told: Told, curved: Told) -> None:
    # 0.17 of 0.2 are 85 %; 0.1 of it, the half, would not do.
    assert said(curved).startswith("chats: 500 of 1,200 rows gave 85 % of the gain in overlap1. ")
    few = replace(EACH[1], gain=Difference(0.164, 0.1, 0.2))
    assert said(telling(told, each=(EACH[0], few, *EACH[2:]))).startswith("chats: 100 of 1,200 rows gave 82 %")
    slow = replace(EACH[2], gain=Difference(0.12, 0.1, 0.2))
    assert said(telling(told, each=(*EACH[:2], slow, EACH[3]))).startswith("chats: 500 of 1,200 rows gave 60 %")


@pytest.mark.parametrize(
    ("last", "effect", "words"),
    [
        ((0.03, 0.01, 0.06), 0.05, "+0.030 (+0.010 to +0.060): more rows would probably help still."),
        ((0.03, 0.01, 0.04), 0.0, "+0.030 (+0.010 to +0.040): more rows would probably help still."),
        (
            *((0.03, 0.01, 0.04), 0.05),
            "more rows would probably help still; they gave less than the 0.050 that was declared to matter.",
        ),
        ((0.03, -0.01, 0.07), 0.05, "+0.030 (−0.010 to +0.070): whether more rows would help cannot be told."),
        ((0.01, -0.01, 0.03), 0.05, "cannot be told; they gave less than the 0.050 that was declared to matter."),
        ((-0.03, -0.04, -0.02), 0.0, "these rows did harm, and nothing here says that more would help."),
    ],
)
def test_it_is_said_whether_the_last_rows_helped(
    told: Told, last: tuple[float, float, float], effect: float, words: str
) -> None:
    sentence = said(telling(told, last=Difference(*last), smallest_effect=effect))
    assert "From 500 to 1,200 rows it went from 0.470 to 0.500, " in sentence and sentence.endswith(words)


def test_where_no_gain_is_clear_no_share_is_told(told: Told) -> None:
    unclear = replace(EACH[3], gain=Difference(0.02, -0.02, 0.06))
    unproven = telling(told, each=(*EACH[:3], unclear))
    assert "with all 1,200 rows overlap1 did not clearly improve: +0.020 (−0.020 to +0.060)." in said(unproven)
    assert [row[-1].text for row in blocks(unproven)[2].rows] == ["–"] * 4


def test_the_table_has_a_line_for_each_number(curved: Told) -> None:
    table = blocks(curved)[2]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["0 (before)", "0.300", "–", "–"],
        ["100", "0.400", "+0.100", "50 %"],
        ["500", "0.470", "+0.170", "85 %"],
        ["1,200 (after)", "0.500", "+0.200", "100 %"],
    ]
    assert [row[1].note for row in table.rows][1:3] == ["0.350 to 0.450", "0.420 to 0.520; 2 not judged"]
    assert table.rows[1][2].note == "+0.020 to +0.180"


def test_the_curve_has_each_score_in_its_interval_and_says_so_in_words(curved: Told) -> None:
    chart = blocks(curved)[1].chart
    for width in (340, 760):
        root = ET.fromstring(draw(chart, width=width))
        dots = [(float(node.attrib["cx"]), float(node.attrib["cy"])) for node in root.iter("circle")]
        bars = [node for node in root.iter("line") if node.attrib["class"] == "interval"]
        upright = [bar for bar in bars if bar.attrib["x1"] == bar.attrib["x2"]]
        assert len(dots) == len(upright) == 4
        for (x, y), bar in zip(dots, upright, strict=True):
            assert float(bar.attrib["x1"]) == x
            assert (float(bar.attrib["y1"]) + float(bar.attrib["y2"])) / 2 == pytest.approx(y, abs=0.11)
        ticks = {node.text for node in root.iter("text") if node.attrib["text-anchor"] == "middle"}
        assert {"0", "100", "500", "1,200", "teaching rows"} == ticks
        assert "100: 0.4 (0.35 to 0.45); 500: 0.47" in str(root[1].text)


def test_what_the_curve_cannot_tell_is_said(curved: Told) -> None:
    points = " ".join(blocks(curved)[3].items)
    assert "once, with the same settings and seed" in points and "none of them is tested" in points
    assert "Not taught: 5,000 rows, since there are 1,200." in points


def test_page_shell_card_and_json_tell_the_same_numbers(curved: Told) -> None:
    shell = io.StringIO()
    print_document(build(curved), Console(file=shell, width=110), page="report.html")
    for form in (render(build(curved)), shell.getvalue(), model_card(curved, base="afters-tiny")):
        assert "500 of 1,200 rows gave 85 % of the gain in overlap1." in " ".join(form.split())
    assert "1,200 (after)" not in shell.getvalue(), "the page has the table"
    (found,) = json.loads(verdict_json(curved))["rows"]
    assert [one["value"] for one in found["each"]] == [0.3, 0.4, 0.47, 0.5] and found["last_rows"] == "better"
    assert RowCurve.read(found) == FOUND


def test_the_numbers_are_no_part_of_the_comparisons(told: Told, curved: Told) -> None:
    assert json.loads(verdict_json(curved))["comparisons"] == json.loads(verdict_json(told))["comparisons"]
    assert json.loads(verdict_json(curved))["scores"] == json.loads(verdict_json(told))["scores"]


def test_of_several_tasks_each_has_its_curve_and_how_many_rows_were_its_own(told: Told) -> None:
    halves = tuple(replace(one, own_rows=one.rows // 2) for one in EACH)
    both = replace(told, rows=(FOUND, replace(FOUND, task="words", each=halves)))
    tables = [block for block in build(both).section("how-many-rows").blocks if isinstance(block, Table)]
    assert [[cell.text for cell in row][:2] for row in tables[1].rows][1] == ["100", "50"]
    assert tables[1].columns[1] == "Of this task"


def test_without_a_smaller_number_or_an_interval_the_rest_is_told(told: Told) -> None:
    bare = tuple(replace(one, low=math.nan, high=math.nan) for one in (EACH[0], EACH[3]))
    alone = telling(told, each=bare, last=None)
    assert said(alone) == "chats: no smaller number of rows was taught."
    assert [row[1].note for row in blocks(alone)[2].rows] == ["", ""]
    assert 'class="interval"' not in draw(blocks(alone)[1].chart, width=760)
