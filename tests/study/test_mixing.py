"""Several tasks taught as one stream, some rows with solved examples before them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tickets import tasks_of
from tiny_models import Tiny

from afters.config import study_of
from afters.model.load import prompter_of
from afters.model.network import Pair
from afters.model.prompt import Prompter
from afters.study.fitting import encode
from afters.study.mixing import lessons_of
from afters.study.reading import read_tasks
from afters.study.run import run
from afters.study.settings import Study
from afters.train.lessons import Lessons, Pairs

SIZES = {"parcels": 40, "lamps": 10}


def many(base: Path, folder: Path, *, train: dict[str, Any] | None = None, **mixture: Any) -> Study:
    """Write two tasks' rows, and return a study of both."""
    tasks = tasks_of(folder, SIZES)
    return study_of(
        {
            **{"name": "many", "seed": 3, "model": {"base": str(base), "precision": "fp32", "max_prompt_tokens": 90}},
            **{"task": tasks, "mixture": mixture, "before": {"shots": [0], "nearest": False}, "keep": {"tasks": []}},
            **{"train": {"epochs": 2, "batch_rows": 8, **(train or {})}, "judge": {"max_new_tokens": 4}},
        }
    )


def made(tiny: Tiny, folder: Path, **mixture: Any) -> tuple[Lessons, Prompter]:
    study = many(tiny("t5"), folder, **mixture)
    prompter = prompter_of(tiny("t5"), max_prompt_tokens=90, max_new_tokens=4)
    tasks = read_tasks(study, folder=folder, strict=False)
    encode(tasks, prompter, study)
    return lessons_of(tasks, study.mixture, prompter=prompter, seed=study.seed), prompter


def asked(pair: Pair, prompter: Prompter) -> str:
    return prompter.text(pair.prompt)


def test_each_pass_has_its_rows_of_each_task_and_says_which_task_a_row_is_of(tiny: Tiny, tmp_path: Path) -> None:
    lessons, prompter = made(tiny, tmp_path, temperature=1e6)
    assert (lessons.rows, lessons.tasks) == (50, ("parcels", "lamps"))
    for number in range(3):
        pairs = lessons.pairs(np.arange(50 * number, 50 * number + 50))
        assert Counter(pair.task for pair in pairs) == {0: 25, 1: 25}
        assert all(list(SIZES)[pair.task] in asked(pair, prompter) for pair in pairs)


def test_a_share_of_the_rows_has_solved_examples_of_its_own_task_before_it(tiny: Tiny, tmp_path: Path) -> None:
    lessons, prompter = made(tiny, tmp_path, few_shot=0.5, most_shots=2)
    counts: Counter[int] = Counter()
    for pair in lessons.pairs(np.arange(500)):
        said = asked(pair, prompter)
        name, other = list(SIZES)[pair.task], list(SIZES)[1 - pair.task]
        counts[said.count("Say:") - 1] += 1
        assert said.count("Say:") == said.count(f"train {name}") and other not in said
        questions = [part.split("train ")[1].split()[1] for part in said.split("Say:")[1:]]
        assert questions[-1] not in questions[:-1], "a row stands before itself"
    assert set(counts) == {0, 1, 2}
    assert 210 < counts[0] < 290 and 80 < counts[1] < 170


def test_a_place_says_the_same_whatever_was_asked_before(tiny: Tiny, tmp_path: Path) -> None:
    settings = {"few_shot": 0.5, "cap": 15}
    forward, backward = (made(tiny, tmp_path, **settings)[0] for _ in range(2))
    places = np.arange(60)
    alone = [pair for place in reversed(places) for pair in backward.pairs(place[None])][::-1]
    assert forward.pairs(places) == alone


def test_lengths_are_those_of_the_rows_where_nothing_stands_before_them(tiny: Tiny, tmp_path: Path) -> None:
    lessons, _ = made(tiny, tmp_path)
    found = [(len(pair.prompt), len(pair.answer)) for pair in lessons.pairs(np.arange(100))]
    assert lessons.lengths(np.arange(100)).tolist() == [list(one) for one in found]


def test_one_task_alone_is_taught_as_it_stands(tiny: Tiny, tmp_path: Path) -> None:
    study = many(tiny("t5"), tmp_path)
    alone = study.model_copy(update={"tasks": study.tasks[:1]})
    prompter = prompter_of(tiny("t5"), max_prompt_tokens=90, max_new_tokens=4)
    tasks = read_tasks(alone, folder=tmp_path, strict=False)
    encode(tasks, prompter, alone)
    assert isinstance(lessons_of(tasks, alone.mixture, prompter=prompter, seed=3), Pairs)


def test_the_page_the_shell_and_the_verdict_tell_what_each_task_was_taught(tiny: Tiny, tmp_path: Path) -> None:
    told = run(
        many(tiny("t5"), tmp_path, train={"batch_rows": 6}, few_shot=0.3, cap=20), out=tmp_path / "run", folder=tmp_path
    )
    verdict = json.loads((tmp_path / "run" / "verdict.json").read_text())
    assert [(one["task"], one["rows"]) for one in verdict["taught"]] == [("parcels", 40), ("lamps", 20)]
    assert sum(one["share_of_tokens"] for one in verdict["taught"]) == pytest.approx(1)
    assert "What each task was taught" in (tmp_path / "run" / "report.html").read_text()
    for step in told.steps:
        tokens = sum(one["tokens"] for one in step["tasks"].values())
        mean = sum(one["tokens"] * one["loss"] for one in step["tasks"].values()) / tokens
        assert mean == pytest.approx(step["loss"], rel=1e-5)
