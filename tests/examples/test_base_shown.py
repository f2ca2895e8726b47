from __future__ import annotations

from pathlib import Path

import pytest

from afters.data.library import library
from afters.data.render import Renderer
from afters.errors import InputError
from afters.records import Result, Score
from afters.study.judging import Judged
from examples.base.shown import CHANCE, ROWS, rows, table


@pytest.mark.data
def test_rows_that_were_never_taught_fit_the_librarys_templates(data_folder: Path) -> None:
    for name, found in rows(data_folder).items():
        renderer = Renderer(name, library()[name], "test", 0)
        usable, answers = 0, set()
        for number, row in enumerate(found[:ROWS]):
            try:
                answers.add(renderer.example(row, id=str(number), source=name).references[0])
            except InputError:  # MNLI's rows on which its judges did not agree
                continue
            usable += 1
        assert usable > 0.9 * ROWS
        assert len(answers) == round(1 / CHANCE[name])


def test_the_table_shows_each_score_beside_chance() -> None:
    score = Score("accuracy", "accuracy", 0.75, "binary", "higher", 500, 0, "v1", low=0.7, high=0.8)
    results = tuple(Result("asked", name, {}, (), {}, (score,)) for name in CHANCE)
    told = table(Judged("shown", "model", results, dict.fromkeys(CHANCE, "accuracy")))
    assert "| mnli | 500 | 0.750 [0.700, 0.800] | 0.333 |" in told.splitlines()
