from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from afters.records import Direction
from afters.report.blocks import Block, Details, Figure, Points, Table
from afters.report.charts import Curve, Intervals
from afters.report.document import Told, build

ORDER = (
    "glance scores comparisons rows training lengths set-aside cut not-measured cost settings signatures glossary"
).split()


def inside(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        yield block
        if isinstance(block, Details):
            yield from inside(block.blocks)


def texts(told: Told, section: str) -> list[list[str]]:
    blocks = inside(build(told).section(section).blocks)
    return [[cell.text for cell in row] for block in blocks if isinstance(block, Table) for row in block.rows]


def figures(told: Told, section: str) -> list[Intervals | Curve]:
    return [block.chart for block in inside(build(told).section(section).blocks) if isinstance(block, Figure)]


def test_every_section_is_there_in_order(told: Told) -> None:
    assert [section.id for section in build(told).sections] == ORDER


def test_a_run_that_recorded_little_has_every_section_too(told: Told) -> None:
    bare = Told(told.name, told.results, told.comparisons[:1], told.primary, told.metric)
    document = build(bare)
    assert [section.id for section in document.sections] == ORDER
    assert all(section.blocks for section in document.sections)


def test_the_headline_is_the_primary_comparison_and_beside_it_stand_prompting_and_the_baseline(told: Told) -> None:
    document = build(told)
    assert (document.headline.word, document.headline.tone) == ("Improved", "good")
    assert document.headline.sentence == told.comparisons[0].sentence
    assert [finding.sentence for finding in document.also] == [one.sentence for one in told.comparisons[1:3]]


def test_the_primary_score_of_another_task_stands_beside_the_headline(told: Told) -> None:
    forgotten = replace(told.comparisons[0], task="entities", verdict="worse", sentence="Entities were forgotten.")
    document = build(replace(told, comparisons=(*told.comparisons, forgotten)))
    assert [finding.sentence for finding in document.also][-1] == "Entities were forgotten."


def test_every_score_of_every_result_is_in_the_table(told: Told) -> None:
    assert texts(told, "scores") == [
        ["overlap1", "0.350", "0.370", "0.400", "0.300", "0.527"],
        ["overlap2", "0.175", "0.185", "0.200", "0.150", "0.264"],
    ]


@pytest.mark.parametrize(("direction", "best"), [("higher", "0.527"), ("lower", "0.300")])
def test_the_best_of_a_line_is_marked(told: Told, direction: Direction, best: str) -> None:
    turned = tuple(
        replace(result, scores=tuple(replace(score, direction=direction) for score in result.scores))
        for result in told.results
    )
    table = build(replace(told, results=turned)).section("scores").blocks[0]
    assert isinstance(table, Table)
    assert [cell.text for cell in table.rows[0][1:] if cell.tone == "strong"] == [best]


def test_the_figure_has_one_estimate_for_each_result_with_the_interval_of_its_score(told: Told) -> None:
    (chart,) = figures(told, "glance")
    assert isinstance(chart, Intervals)
    assert [one.label for one in chart.estimates] == [
        "Before (zero-shot)", "1 shot", "4 shots", "Nearest neighbour", "After"
    ]  # fmt: skip
    assert [(one.low, one.high) for one in chart.estimates] == [
        (result.score("overlap1").low, result.score("overlap1").high) for result in told.results
    ]
    assert [one.strong for one in chart.estimates] == [False, False, False, False, True]


def test_a_task_has_its_own_table(told: Told) -> None:
    other = replace(told.results[0], task="entities")
    tables = [block for block in build(replace(told, results=(*told.results, other))).section("scores").blocks][:2]
    assert [len(table.columns) for table in tables if isinstance(table, Table)] == [6, 2]


def test_a_loss_on_validation_rows_is_drawn_beside_the_training_loss_and_another_number_apart(told: Told) -> None:
    (together,) = figures(told, "training")
    assert isinstance(together, Curve) and [line.label for line in together.lines] == ["", "training", "validation"]
    assert not together.logarithmic
    apart = figures(replace(told, validation_name="rouge1"), "training")
    assert [[line.label for line in chart.lines] for chart in apart if isinstance(chart, Curve)] == [
        ["", "training"], ["rouge1"]
    ]  # fmt: skip


def test_a_loss_that_falls_more_than_eightfold_is_drawn_on_a_logarithmic_axis(told: Told) -> None:
    steep = tuple({"step": step, "loss": 10.0 / step} for step in range(1, 41))
    (chart,) = figures(replace(told, steps=steep), "training")
    assert isinstance(chart, Curve) and chart.logarithmic


def test_a_long_log_is_averaged_into_points_that_keep_its_mean(told: Told) -> None:
    log = tuple({"step": step, "loss": float(step % 7)} for step in range(1, 4001))
    (chart,) = figures(replace(told, steps=log), "training")
    assert isinstance(chart, Curve)
    losses = [loss for _, loss in chart.lines[0].points]
    assert len(losses) == 400
    assert sum(losses) / len(losses) == pytest.approx(sum(step["loss"] for step in log) / len(log))


def test_a_loss_that_broke_is_told_and_not_drawn(told: Told) -> None:
    broken = ({"step": 1, "loss": 2.0}, {"step": 2, "loss": math.nan})
    document = build(replace(told, steps=broken))
    assert "In 1 step the loss was not a finite number." in str(document.section("training").blocks[0])
    assert figures(replace(told, steps=broken[1:]), "training") == []


def test_rows_set_aside_are_counted_with_their_reasons(told: Told) -> None:
    rows = texts(told, "set-aside")
    assert ["Train", "1,203", "1,200", "3"] in rows
    assert ["empty answer", "Train", "2"] in rows and ["stands in test", "Train", "1"] in rows
    points = build(told).section("set-aside").blocks[-1]
    assert isinstance(points, Points) and points.items == (
        "1 test row had the same text as a teaching row as given; 1 teaching row was set aside for it.",
        "2 test rows have no second reference.",
    )


def test_what_was_cut_while_judging_is_counted_from_the_predictions(told: Told) -> None:
    assert texts(told, "cut")[0] == ["Before (zero-shot)", "12", "6", "6", "0", "0"]
    assert ["Train", "Tokens", "231"] in texts(told, "cut")


def test_what_could_not_be_checked_is_said_once_for_each_pair(told: Told) -> None:
    (points,) = build(told).section("not-measured").blocks
    assert isinstance(points, Points)
    assert points.items[:2] == told.not_measured
    assert len(points.items) == 2 + 3  # after against before stands in two comparisons


def test_settings_are_named_as_on_the_command_line(told: Told) -> None:
    rows = texts(told, "settings")
    assert ["train.learning_rate", "0.0003"] in rows and ["task[0].metrics", "overlap"] in rows
    assert ["torch", "2.9.0"] in rows


def test_costs_have_units(told: Told) -> None:
    rows = texts(told, "cost")
    assert ["Train", "5 min 14 s"] in rows and ["Peak memory", "1.8 GB"] in rows
    assert ["After", "350 ms"] in rows


def test_the_same_run_gives_the_same_document(told: Told) -> None:
    assert build(told) == build(replace(told))
