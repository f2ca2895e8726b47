"""One model on one Dataset gives one Result. Knows no torch: a model is whatever answers the protocol."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from afters import __version__
from afters.data.dataset import Dataset
from afters.errors import DataError, SettingsError
from afters.metrics.metric import Metric, notes, reduce, stacked
from afters.metrics.table import NEED_CHOICES, NEED_LIKELIHOODS
from afters.model.protocol import LanguageModel
from afters.records import Case, Decoding, Example, Prediction, Result, Row, Score

MOST_LABELS = 1000
"""More different lines than this are no labels, and their counts would fill the memory."""


def identity(model: LanguageModel, dataset: Dataset, decoding: Decoding) -> dict[str, str]:
    """Return everything that decides the answers: two Results of equal identity are the same Result."""
    return {
        **model.identity,
        "dataset": dataset.fingerprint,
        "shots": dataset.shots_fingerprint,
        "decoding": json.dumps(decoding.plain(), sort_keys=True),
        "code": __version__,
    }


def evaluate(
    model: LanguageModel,
    dataset: Dataset,
    *,
    label: str,
    decoding: Decoding,
    metrics: Sequence[Metric],
    known: Mapping[str, Prediction] | None = None,
    keep: Callable[[list[Prediction]], None] = lambda batch: None,
    on_answers: Callable[[int], None] = lambda count: None,
) -> Result:
    """Ask `model` every Example of `dataset` and score what it says.

    Args:
        model: who is asked.
        dataset: what is asked; Examples with choices are asked how probable each choice is, others for an answer.
        label: what the Result is called: "before", "after", …
        decoding: how answers are written.
        metrics: what the answers are worth.
        known: answers of an earlier, interrupted judging, by Example id.
        keep: is given every new batch of answers, so that none is asked twice.
        on_answers: is told how many answers have come.
    """
    examples = list(dataset)
    predictions = dict(known or {})
    began = time.perf_counter()
    on_answers(len(predictions))
    for batch in ask(model, examples, decoding, done=predictions.keys()):
        fresh = [prediction for prediction in batch if prediction.example not in predictions]
        keep(fresh)
        predictions.update((prediction.example, prediction) for prediction in fresh)
        on_answers(len(fresh))
    seconds = time.perf_counter() - began
    return score(
        _cases(examples, predictions),
        metrics,
        label=label,
        task=dataset.task,
        identity=identity(model, dataset, decoding),
        seconds=seconds,
    )


def score(
    cases: tuple[Case, ...],
    metrics: Sequence[Metric],
    *,
    label: str,
    task: str,
    identity: Mapping[str, str],
    seconds: float = 0.0,
) -> Result:
    """Observe every Case with every metric, and reduce; of several answers a Case's row is the mean."""
    drawn = max((len(answer.answers) for case in cases for answer in case.predictions), default=1)
    if drawn <= 1:
        rows = {metric.name: tuple(map(metric.observe, cases)) for metric in metrics}
        scores = tuple(made for metric in metrics for made in _scores(metric, rows[metric.name]))
        return Result(label, task, identity, cases, rows, scores, seconds)
    draws = [tuple(_with_one_answer(case, number) for case in cases) for number in range(drawn)]
    rows, made = {}, list[Score]()
    for metric in metrics:
        observed = [tuple(map(metric.observe, draw)) for draw in draws]
        rows[metric.name] = tuple(map(_mean_row, zip(*observed, strict=True)))
        apart = _spread(metric, observed)
        made += [replace(one, spread=apart[one.name]) for one in _scores(metric, rows[metric.name])]
    return Result(label, task, identity, cases, rows, tuple(made), seconds)


def _with_one_answer(case: Case, number: int) -> Case:
    """Return the Case as if only its answer of this number had come."""
    alone = (replace(one, answers=one.answers[number : number + 1] or one.answers[:1]) for one in case.predictions)
    return replace(case, predictions=tuple(alone))


def _mean_row(rows: Sequence[Row | None]) -> Row | None:
    judged = [row for row in rows if row is not None]
    return tuple(stacked(judged).mean(axis=0).tolist()) if len(judged) == len(rows) else None


def _spread(metric: Metric, draws: Sequence[Sequence[Row | None]]) -> dict[str, float]:
    """Return by how much each score differs from draw to draw."""
    values = [reduce(metric, rows) for rows in draws]
    return {name: statistics.stdev(value[name] for value in values) for name in metric.names}


def score_texts(model: LanguageModel, texts: Sequence[str], metrics: Sequence[Metric], *, label: str) -> Result:
    """Ask `model` how probable texts are with nothing before them, for `bits_per_byte` and `perplexity`.

    Texts are scored whole; cut what is longer than the model reads. Equal texts share a cluster.
    """
    examples = [
        Example(str(number), "text", f"text {number}", text, "", "", (text,), choices=(text,), cluster=text)
        for number, text in enumerate(texts)
    ]
    predictions = {prediction.example: prediction for batch in model.loglikelihood(examples) for prediction in batch}
    dataset = hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()[:16]
    who = {**model.identity, "dataset": dataset, "code": __version__}
    return score(_cases(examples, predictions), metrics, label=label, task="text", identity=who)


def score_files(metric: Metric, predictions: Path, references: Sequence[Path]) -> Result:
    """Score a file of answers, one a line, against files of references, line by line.

    For a metric of choices, these are the different lines of the first file of references, sorted.

    Raises:
        DataError: a file is missing or no text, or has not as many lines as the answers; or too many choices.
        SettingsError: the metric asks how probable choices were, which lines of text do not say.
    """
    if metric.name in NEED_LIKELIHOODS:
        raise SettingsError(
            f"{metric.name} cannot be computed from written answers",
            expected="a metric of texts or of choices, as f1 or accuracy",
            hint="It asks how probable each choice was: name it in the `metrics` of a study's task with `choices`.",
        )
    answers = _lines(predictions)
    columns = [_lines(path) for path in references]
    for path, column in zip(references, columns, strict=True):
        if len(column) != len(answers):
            raise DataError(
                "not as many lines as there are answers",
                where=f"{path.name}:{min(len(column), len(answers)) + 1}",
                expected=f"{len(answers)} lines, as in {predictions.name}",
                received=f"{len(column)} lines",
            )
    choices = _labels(columns[0], file=references[0].name) if metric.name in NEED_CHOICES else ()
    rows = enumerate(zip(answers, *columns, strict=True), 1)
    cases = tuple(_line_case(number, answer, right, choices) for number, (answer, *right) in rows)
    who = {"dataset": hashlib.sha256(json.dumps(columns).encode()).hexdigest(), "code": __version__}
    return score(cases, [metric], label=predictions.name, task="score", identity=who)


def remarks(result: Result, metrics: Iterable[Metric]) -> list[str]:
    """Return what to know before a Result's scores are believed: empty answers, and what the metrics note."""
    answers = [answer for case in result.cases for prediction in case.predictions for answer in prediction.answers]
    empty = sum(not answer.strip() for answer in answers)
    told = [f"{empty:,} of {len(answers):,} answers are empty, and scored as they are"] if empty else []
    references = [right for case in result.cases for example in case.examples for right in example.references]
    return [*told, *notes(metrics, references)]


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # a byte-order mark is no part of the first line
    except OSError as error:
        raise DataError(
            f"'{path}' cannot be read", expected="a text file, one answer a line", received=error.strerror
        ) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError("bytes that are not UTF-8", where=f"{path.name}:{line}", received=str(error)) from None
    if not text:
        raise DataError("the file is empty", where=path.name, expected="one answer a line")
    return text.removesuffix("\n").split("\n")


def _labels(lines: Sequence[str], *, file: str) -> tuple[str, ...]:
    labels = tuple(sorted({line.strip() for line in lines}))
    if len(labels) > MOST_LABELS:
        raise DataError(
            "these are texts, not labels",
            where=file,
            expected=f"at most {MOST_LABELS} different lines",
            received=f"{len(labels):,}",
            hint="Score texts by f1, rouge or exact_match.",
        )
    return labels


def _line_case(number: int, answer: str, references: Sequence[str], choices: tuple[str, ...]) -> Case:
    name = str(number)
    example = Example(name, "score", f"line {number}", "", "", "", tuple(references), choices=choices)
    return Case(name, name, (example,), (Prediction(name, answers=(answer,)),))


def ask(
    model: LanguageModel, examples: Sequence[Example], decoding: Decoding, *, done: Iterable[str]
) -> Iterable[list[Prediction]]:
    """Yield the answers to all Examples, a batch at a time: written ones, then those to Examples with choices."""
    answered = frozenset(done)
    closed = [example for example in examples if example.choices]
    opened = [example for example in examples if not example.choices]
    if opened:
        yield from model.generate(opened, decoding, done=answered)
    by_id = {example.id: example for example in closed}
    for batch in model.loglikelihood(closed, done=answered) if closed else ():
        yield [_with_most_probable(by_id[prediction.example], prediction) for prediction in batch]


def _with_most_probable(example: Example, prediction: Prediction) -> Prediction:
    """Write the most probable choice down as the answer; of equals, the first."""
    best = max(range(len(prediction.choices)), key=lambda index: prediction.choices[index].log_probability)
    return replace(prediction, answers=(example.choices[best],))


def _cases(examples: Sequence[Example], predictions: Mapping[str, Prediction]) -> tuple[Case, ...]:
    """Put the Examples of a group together, in the order in which the groups first come."""
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.group or example.id, []).append(example)
    return tuple(
        Case(group, members[0].cluster or group, tuple(members), tuple(predictions[one.id] for one in members))
        for group, members in groups.items()
    )


def _scores(metric: Metric, rows: Sequence[Row | None]) -> list[Score]:
    judged = sum(row is not None for row in rows)
    return [
        Score(
            name=name,
            metric=metric.name,
            value=value,
            kind=metric.kind,
            direction=metric.direction,
            judged=judged,
            unjudged=len(rows) - judged,
            signature=metric.signature,
            chance=metric.chance,
        )
        for name, value in reduce(metric, rows).items()
    ]
