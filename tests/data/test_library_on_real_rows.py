"""The templates that ship on rows of the data sets that they are for, as far as the development data has some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

import pytest
from real_rows import SOURCES, Row

from afters.data.library import library
from afters.data.render import Renderer
from afters.errors import InputError

LIMIT = 1_000
"""Rows of each file that are rendered, to stay fast."""


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "file", "read", "made", "set_aside"), SOURCES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_real_rows_are_rendered_and_those_that_cannot_be_are_counted(
    name: str,
    file: str,
    read: Callable[[Path], Iterable[Row]],
    made: Callable[[Row], Row],
    set_aside: dict[str, int],
    data_folder: Path,
) -> None:
    template = library()[name]
    rows = list(map(made, islice(read(data_folder / file), LIMIT)))
    references = template.references_in(list(rows[0]), judging=True)
    reasons: Counter[str] = Counter()
    for number, row in enumerate(rows):
        wording = template.wordings[number % len(template.wordings)].id
        renderer = Renderer(name, template, "test", 0, wording, references)
        try:
            example = renderer.example(row, id=str(number), source=f"{file}:{number}")
        except InputError as problem:
            reasons[problem.what] += 1
        else:
            assert example.references[0] in (example.choices or example.references)
            assert (example.cuttable is not None) == (template.cut is not None)
    assert rows and reasons == set_aside
