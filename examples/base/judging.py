"""What afters-tiny is worth: every task of the grammar on rows that it never saw, and prose that it never read.

Judging rows have another seed, so other people, places, codes and words; and their prose comes from a novel that was
not taught. The tasks are the taught ones: this tells whether they were learnt, not what else the model can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from statistics import fmean
from typing import NamedTuple

from afters.metrics.facts import Facts
from afters.metrics.metric import Metric, reduce
from afters.metrics.rouge import Rouge
from afters.model.answering import Answerer
from afters.model.load import Loaded
from afters.records import Case, Decoding, Example, Prediction
from afters.train.loss import mean_loss
from examples.base import grammar, teaching
from examples.base.grammar import TASKS, Row
from examples.base.prose import sentences

SEED = 1_000_003
"""Not the teaching seed."""

MAX_NEW_TOKENS = 96
TOKEN_BUDGET = 8_192


class TaskScore(NamedTuple):
    """One task, scored on a model's answers and on the first sentence of each text."""

    task: str
    rows: int
    exact: float
    """Share of answers that are the right one, to the letter."""
    rouge1: float
    facts: float | None
    """Share of the names, numbers and dates of the right answer that are stated; invented ones count against it.

    None where right answers state no facts.
    """
    first_rouge1: float
    """ROUGE-1 of just copying the first sentence."""
    first_exact: float


def judge(loaded: Loaded, *, prose: Sequence[str], rows: int) -> list[TaskScore]:
    """Ask `rows` rows of every task."""
    return [_judge_task(loaded, [grammar.row(SEED, i, prose=prose, task=name) for i in range(rows)]) for name in TASKS]


def prose_loss(loaded: Loaded, *, prose: Sequence[str], passages: int) -> float:
    """Return the loss in nats per piece on what stood in the holes of prose that was not taught."""
    pairs = [
        teaching.with_holes(passage, index=index, seed=SEED, prompter=loaded.prompter)
        for index, passage in enumerate(prose[:passages])
    ]
    return mean_loss(loaded.network, pairs, tokens=TOKEN_BUDGET, precision=loaded.precision)


def _judge_task(loaded: Loaded, rows: Sequence[Row]) -> TaskScore:
    examples = [teaching.example(row, name=f"{row.task}:{index}") for index, row in enumerate(rows)]
    batches = Answerer(loaded, token_budget=TOKEN_BUDGET).generate(examples, Decoding(max_new_tokens=MAX_NEW_TOKENS))
    written = {prediction.example: prediction.answers[0] for batch in batches for prediction in batch}
    answers = [written[example.id] for example in examples]
    facts = _score(Facts(), examples, answers)["facts"]
    first = [sentences(row.text.replace("\n", " "))[0] for row in rows]
    return TaskScore(
        task=rows[0].task,
        rows=len(rows),
        exact=fmean(answer == row.answer for answer, row in zip(answers, rows, strict=True)),
        rouge1=_score(Rouge(), examples, answers)["rouge1"],
        facts=None if isnan(facts) else facts,
        first_rouge1=_score(Rouge(), examples, first)["rouge1"],
        first_exact=fmean(answer == row.answer for answer, row in zip(first, rows, strict=True)),
    )


def _score(metric: Metric, examples: Sequence[Example], answers: Sequence[str]) -> dict[str, float]:
    cases = [
        Case(example.id, example.id, (example,), (Prediction(example.id, (answer,)),))
        for example, answer in zip(examples, answers, strict=True)
    ]
    return dict(reduce(metric, [metric.observe(case) for case in cases]))
