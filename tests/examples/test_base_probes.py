"""The probes that ship are those that the recipe writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from afters.data.probes import probes
from examples.base.generated.tasks import TASKS
from examples.base.probes import LONGEST_ANSWER, PROBES, SAID, rows_of, told


def shipped(name: str, *, taught: bool = False) -> list[dict[str, object]]:
    (probe,) = probes([name], teaching=True)
    file = probe.train if taught else probe.test
    return [json.loads(line) for line in Path(str(file)).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("name", ["topic", "rewriting"])
def test_generated_rows_are_those_of_the_grammar(name: str, tmp_path: Path) -> None:
    assert name in TASKS
    assert shipped(name) == rows_of(name, "judged", tmp_path)
    assert shipped(name, taught=True) == rows_of(name, "taught", tmp_path)


@pytest.mark.data
def test_the_other_rows_are_those_of_the_data_sets(data_folder: Path) -> None:
    for name in ("intent", "toxicity"):
        assert shipped(name) == rows_of(name, "judged", data_folder)


@pytest.mark.parametrize("name", PROBES)
def test_no_row_stands_on_both_sides_and_no_answer_is_long(name: str) -> None:
    judged, taught = shipped(name), shipped(name, taught=True)
    lines = [json.dumps(row, sort_keys=True) for row in (*judged, *taught)]
    assert len(set(lines)) == len(lines)
    assert all(len(str(row.get("answer", ""))) <= LONGEST_ANSWER for row in judged)


def test_each_is_asked_as_the_recipe_says() -> None:
    for name, settings in told(PROBES).items():
        (probe,) = probes([name])
        for key in SAID:
            if key in settings and key != "choices":
                said = getattr(probe, key)
                assert (list(said) if isinstance(said, tuple) else said) == settings[key]
