"""What was tried so that less is lost, as page, shell, card and verdict.json tell it."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from afters.compare.cures import Cure
from afters.compare.rows import Difference
from afters.report.blocks import Figure, Table
from afters.report.charts import Curve, draw
from afters.report.document import build
from afters.report.export import model_card, verdict_json
from afters.report.page import render
from afters.report.terminal import print_document
from afters.report.told import Told

NOTHING = Difference(0.0, 0.0, 0.0)

PLAIN = Cure(
    "", "plain", 1.0,
    learned=Difference(0.4, 0.37, 0.43), share=Difference(1.0, 1.0, 1.0), change=Difference(-0.3, -0.33, -0.27),
    above=NOTHING, kept=("dates",), lost=("names", "topics"), chosen=False, tasks=3,
)  # fmt: skip
HALF = replace(
    PLAIN, name="step-50", kind="checkpoint", strength=0.5,
    learned=Difference(0.25, 0.2, 0.3), share=Difference(0.625, 0.5, 0.7), change=Difference(-0.1, -0.12, -0.08),
)  # fmt: skip
REPLAY = Cure(
    "replay-0.05", "replay", 0.05,
    learned=Difference(0.39, 0.36, 0.42), share=Difference(0.975, 0.94, 1.01), change=Difference(-0.01, -0.02, 0.0),
    above=Difference(0.36, 0.3, 0.4), kept=("dates", "names", "topics"), lost=(), chosen=False, tasks=3,
)  # fmt: skip
BETWEEN = replace(
    REPLAY, name="between-0.6", kind="interpolation", strength=0.6, share=Difference(0.8, 0.7, 0.9), chosen=True
)


@pytest.fixture
def mended(told: Told) -> Told:
    return replace(told, cures=(PLAIN, HALF, REPLAY, BETWEEN))


def test_where_nothing_was_tried_nothing_is_told(told: Told) -> None:
    assert "cures" not in [section.id for section in build(told).sections]
    assert "cures" not in json.loads(verdict_json(told))


def test_without_a_scale_no_line_is_drawn_and_it_is_said_why(told: Told) -> None:
    nowhere = Difference(math.nan, math.nan, math.nan)
    bare = replace(told, cures=tuple(replace(one, change=nowhere, above=nowhere) for one in (PLAIN, REPLAY)))
    page = render(build(bare))
    assert "is scored without a scale" in page and "Mended" not in page and "nan" not in page
    [section] = [section for section in build(bare).sections if section.id == "cures"]
    assert not any(isinstance(block, Figure) for block in section.blocks)


def test_the_cure_is_named_with_what_it_kept_and_how_much_of_the_gain(mended: Told) -> None:
    said = build(mended).also[-1]
    assert (said.word, said.tone) == ("Mended", "good")
    assert said.sentence == (
        "5 % replay kept 3 of 3 tasks with 98 % [94, 101] of the gain, and learned more by 0.360 [0.300, 0.400] than "
        "the plain run had where it had kept as much."
    )


def test_where_nothing_is_a_cure_that_is_said_and_why(mended: Told) -> None:
    level = replace(REPLAY, above=Difference(0.01, -0.02, 0.04))
    said = build(replace(mended, cures=(PLAIN, HALF, level))).also[-1]
    assert said.word == "Not mended"
    assert said.sentence.endswith("98 % [94, 101], and is not shown to be better than fewer steps of the plain run.")
    unsure, loses = (replace(REPLAY, kept=("dates",), lost=lost, strength=0.1) for lost in ((), ("names",)))
    none = build(replace(mended, cures=(PLAIN, loses, replace(unsure, strength=0.2)))).also[-1].sentence
    assert none == (
        "Of 2 models that may lose less none kept every task; 20 % replay kept most, 1 of 3, with 98 % [94, 101] of "
        "the gain."
    )
    nothing = replace(loses, kept=(), lost=("dates", "names", "topics"))
    none = build(replace(mended, cures=(PLAIN, nothing))).also[-1].sentence
    assert none == "Of 1 model that may lose less none kept every task."
    unproven = replace(REPLAY, share=Difference(math.nan, math.nan, math.nan))
    assert "an unproven share" in build(replace(mended, cures=(PLAIN, unproven))).also[-1].sentence


@pytest.mark.parametrize(
    ("strength", "validated", "why", "do"),
    [
        (
            1.0,
            (10, 20, 30, 40),
            "are kept while it is taught with [mend] set, and not under --shard",
            "without --shard",
        ),
        (0.25, (10, 20, 30, 40), "own model is that of its first validation", "more train.validations"),
        (1.0, (), "are kept while it is taught with [mend] set", "without --shard"),
    ],
)
def test_without_a_control_nothing_is_called_a_cure_and_it_is_said_why_and_what_to_do(
    mended: Told, strength: float, validated: tuple[int, ...], why: str, do: str
) -> None:
    """Not even where an older run wrote down that it lies above the straight line."""
    steps = tuple({**one, "validation": 1.0 if one["step"] in validated else None} for one in mended.steps)
    late = replace(HALF, strength=1.0, name="step-40")
    cures = (replace(PLAIN, strength=strength), *((late,) if strength < 1 else ()), REPLAY)
    bare = replace(mended, steps=steps, cures=cures)
    said, shell = build(bare).also[-1], io.StringIO()
    print_document(build(bare), Console(file=shell, width=110), page="report.html")
    assert (said.word, said.tone) == ("Cannot tell", "unsure")
    assert said.sentence.startswith("5 % replay kept 3 of 3 tasks with 98 % [94, 101] of the gain. Whether fewer steps")
    assert f"from the beginning and {do}." in said.sentence and why in said.sentence
    [figure] = [block for block in build(bare).section("cures").blocks if isinstance(block, Figure)]
    assert why in figure.caption and "checkpoints" not in figure.caption
    (table,) = [block for block in build(bare).section("cures").blocks if isinstance(block, Table)]
    assert [(row[0].note, row[-1].text) for row in table.rows] == [("", "–")] * len(cures)
    for form in (render(build(bare)), shell.getvalue()):
        assert "nothing is called a cure" in " ".join(form.split()) and "Mended" not in form


def test_the_line_goes_on_from_the_runs_own_model_to_what_came_after_it(mended: Told) -> None:
    early, late = replace(HALF, strength=0.25), replace(HALF, strength=1.0, learned=Difference(0.35, 0.3, 0.4))
    told = replace(mended, cures=(replace(PLAIN, strength=0.5), early, late, REPLAY))
    (figure,) = [block for block in build(told).section("cures").blocks if isinstance(block, Figure)]
    assert isinstance(figure.chart, Curve)
    assert [gain for _, gain in figure.chart.lines[0].points] == [0.0, 0.25, 0.4, 0.35]


def test_the_table_has_a_line_for_each_model_and_only_cures_stand_above_the_line(mended: Told) -> None:
    (table,) = [block for block in build(mended).section("cures").blocks if isinstance(block, Table)]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["the run's own model", "+0.400", "100 %", "−0.300", "1 of 3", "–"],
        ["the run's own after 50 % of its steps", "+0.250", "62 %", "−0.100", "1 of 3", "–"],
        ["5 % replay", "+0.390", "98 %", "−0.010", "3 of 3", "+0.360"],
        ["60 % of the way", "+0.390", "80 %", "−0.010", "3 of 3", "+0.360"],
    ]
    assert table.rows[0][4].note == "lost: 2"
    assert (table.rows[2][0].note, table.rows[3][0].note) == ("a cure", "chosen on validation rows")


def test_the_picture_has_a_line_through_the_control_and_a_named_dot_for_each_cure(mended: Told) -> None:
    (figure,) = [block for block in build(mended).section("cures").blocks if isinstance(block, Figure)]
    for width in (340, 760):
        root = ET.fromstring(draw(figure.chart, width=width))
        lines = [node.attrib["points"].split() for node in root.iter("polyline")]
        assert [len(points) for points in lines] == [3, 1, 1], "the base, half-way, the end; two cures"
        texts = {node.text for node in root.iter("text")}
        assert {"5 % replay", "60 % of the way", "gain"} <= texts
        for node in root.iter("text"):
            assert 0 <= float(node.attrib["x"]) <= width


def test_page_shell_card_and_json_tell_the_same(mended: Told) -> None:
    shell = io.StringIO()
    print_document(build(mended), Console(file=shell, width=110), page="report.html")
    for form in (render(build(mended)), shell.getvalue(), model_card(mended, base="afters-tiny")):
        assert "5 % replay kept 3 of 3 tasks with 98 %" in " ".join(form.split())
    found = json.loads(verdict_json(mended))["cures"]
    assert [one["cure"] for one in found] == [False, False, True, False]
    assert tuple(map(Cure.read, found)) == mended.cures
