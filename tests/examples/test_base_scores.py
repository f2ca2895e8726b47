from __future__ import annotations

import json
from typing import Any

import pytest

from afters.evaluate import score
from afters.metrics.match import Accuracy, ExactMatch
from afters.metrics.metric import Metric
from afters.records import Case, Example, Prediction, Result
from afters.study.asking import _with_intervals
from afters.study.judging import Judged
from examples.base.scores import by_term, lines, table

TERMS = ["sailor", "baker"]


def case(number: int, *, answer: str, task: str, **fields: Any) -> Case:
    prompt = f"Name it.\n\nA boat. Then {number} birds came."
    asked = Example(str(number), task, f"{task}.test.jsonl:{number + 1}", prompt, "1", prompt, ("A boat.",), **fields)
    return Case(asked.id, asked.id, (asked,), (Prediction(asked.id, (answer,)),))


def result(label: str, *, task: str, metric: Metric, right: int, **fields: Any) -> Result:
    """Of eight answers, the first so many are right."""
    answers = ["A boat." if number < right else "no" for number in range(8)]
    cases = tuple(case(number, answer=answer, task=task, **fields) for number, answer in enumerate(answers))
    identity = {"weights": label, "shots": "0", "dataset": task, "decoding": "{}"}
    return _with_intervals(score(cases, [metric], label=label, task=task, identity=identity), [metric], seed=0)


@pytest.fixture
def judged() -> Judged:
    written: dict[str, Any] = {"task": "question", "metric": ExactMatch(), "cuttable": (10, 40)}
    chosen: dict[str, Any] = {"task": "toxicity", "metric": Accuracy(), "choices": ("A boat.", "no", "a", "b")}
    results = (result("asked", right=6, **written), result("asked", right=6, **chosen))
    return Judged("scores", "model", results, {"question": "exact_match", "toxicity": "accuracy"})


def test_choices_stand_beside_guessing_and_written_answers_beside_the_first_sentence(judged: Judged) -> None:
    question, toxicity = lines(judged)
    assert (question.value, question.without, question.by) == (6 / 8, 1.0, "first sentence")
    assert question.above.value == pytest.approx(-0.25)
    assert question.above.low < -0.25 < question.above.high
    assert (toxicity.value, toxicity.without, toxicity.by) == (6 / 8, 1 / 4, "guessing")
    assert toxicity.above.value == pytest.approx(0.5)
    marked = [line.endswith("| yes |") for line in table([question, toxicity]).splitlines()[2:]]
    assert marked == [False, True]


def test_the_madlibs_are_told_by_the_person_they_name(judged: Judged) -> None:
    rows = [json.dumps({"term": TERMS[number % 2]}) for number in range(8)]
    assert by_term(judged.results[1], rows) == {"baker": (4, 3 / 4), "sailor": (4, 3 / 4)}
