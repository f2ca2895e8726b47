"""Tasks that were taught one after the other, as the page tells them."""

from __future__ import annotations

from dataclasses import replace

from afters.compare.rows import Difference
from afters.compare.stages import Staged, stages
from afters.report.blocks import Points, Table
from afters.report.stages import stages as section
from afters.report.told import Told

FOUND = Staged(
    ("chats", "letters", "names"),
    ("rouge1", "rouge1", "f1"),
    2,
    stages([[0.2, 0.3, 0.9], [0.5, 0.35, 0.7], [0.4, 0.6, 0.65]]),
    {"average": Difference(0.5, 0.45, 0.55), "backward_transfer": Difference(-0.1, -0.15, -0.05)},
)


def test_every_task_is_a_line_with_its_score_after_each_stage_and_its_own_stage_in_bold(told: Told) -> None:
    found = section(replace(told, stages=FOUND))
    [table, measures] = found.blocks
    assert isinstance(table, Table) and isinstance(measures, Points)
    assert table.columns == ("Task", "Score", "The base", "After chats", "After letters")
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["chats", "rouge1", "0.200", "0.500", "0.400"],
        ["letters", "rouge1", "0.300", "0.350", "0.600"],
        ["names", "f1", "0.900", "0.700", "0.650"],
    ]
    bold = [[cell.tone == "strong" for cell in row[2:]] for row in table.rows]
    assert bold == [[False, True, False], [False, False, True], [False, False, False]]
    assert measures.items[0].startswith("Average: 0.500 (0.450 to 0.550): ")
    assert measures.items[1].startswith("Backward transfer: −0.100 (−0.150 to −0.050): ") and len(measures.items) == 2


def test_what_was_taught_at_once_has_no_such_section(told: Told) -> None:
    assert section(told).blocks == ()
