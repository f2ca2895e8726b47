"""Rows into tasks at hand: read, checked, encoded, and counted. All problems are told before a model is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afters.data.task import TaskSettings, prepare
from afters.errors import InputError, SettingsError, collected, raise_together
from afters.metrics.metric import Metric, notes, objection
from afters.metrics.table import NEED_CHOICES, NEED_LIKELIHOODS, metric_for
from afters.records import Example, SetAside
from afters.study.settings import Study
from afters.study.work import TaskAtHand

if TYPE_CHECKING:
    from afters.model.prompt import Prompter


def read_tasks(study: Study, *, folder: Path, strict: bool) -> list[TaskAtHand]:
    """Read every task's rows and check every name; all problems are told together."""
    problems: list[InputError] = []
    tasks = []
    for settings in study.tasks:
        with collected(problems):
            tasks.append(_read_task(study, settings, folder=folder, strict=strict))
    raise_together(problems)
    return tasks


def _read_task(study: Study, settings: TaskSettings, *, folder: Path, strict: bool) -> TaskAtHand:
    prepared = prepare(settings, seed=study.seed, folder=folder, strict=strict)
    declared = prepared.metrics or (("accuracy",) if prepared.template.choices else ("rouge", "exact_match"))
    metrics = tuple(
        metric_for(
            name,
            best_reference=settings.best_reference,
            stem=settings.stem,
            words=settings.words,
            positive=settings.positive,
        )
        for name in declared
    )
    if not prepared.template.choices:
        _refuse_choices(metrics, task=settings.name)
    names = [name for metric in metrics for name in metric.names]
    primary = prepared.primary or names[0]
    if primary not in names:
        raise SettingsError(
            f"the primary score '{primary}' is given by none of the task's metrics",
            where=f"[[task]] {settings.name}",
            expected=f"one of {', '.join(names)}",
        )
    decides = next(metric for metric in metrics if primary in metric.names)
    if reason := objection(decides, cases=len(prepared.test)):
        raise SettingsError(reason, where=f"[[task]] {settings.name}, primary")
    account = dict(prepared.account)
    told = notes(metrics, [reference for example in prepared.test for reference in example.references])
    account["notes"] = [*account["notes"], *told]
    return TaskAtHand(
        name=settings.name,
        train=prepared.train,
        validation=prepared.validation,
        test=prepared.test,
        metrics=metrics,
        primary=primary,
        smallest_effect=settings.smallest_effect,
        account=account,
    )


def _refuse_choices(metrics: Iterable[Metric], *, task: str) -> None:
    """Refuse metrics of choices, for a task that has none."""
    for metric in metrics:
        if metric.name in NEED_CHOICES | NEED_LIKELIHOODS:
            raise SettingsError(
                f"{metric.name} judges choices, and the task has none",
                where=f"[[task]] {task}",
                hint='Name them, as choices = ["yes", "no"]; or the answer alone, choices = "{{ [answer] }}", '
                "for its perplexity.",
            )


def encode(task: TaskAtHand, prompter: Prompter) -> None:
    """Turn the teaching rows into token ids, set aside those that do not fit, and see that the judged ones do.

    Raises:
        PromptTooLong: a judged row does not fit; judged rows are never left out.
        SettingsError: no teaching row is left.
    """
    from afters.model.network import Pair
    from afters.model.prompt import PromptTooLong

    too_long, cut = [], 0
    for example in task.train:
        try:
            prompt = prompter.prompt(example)
        except PromptTooLong as problem:
            too_long.append(SetAside(example.source, "prompt too long for the model", problem.what))
            continue
        task.pairs.append(Pair(prompt.ids, prompter.answer(example.references[0])))
        cut += prompt.tokens_cut > 0
    if not task.pairs:
        raise SettingsError(
            "no teaching row is left to teach",
            where=f"[[task]] {task.name}",
            received="; ".join(f"{entry['count']} × {entry['reason']}" for entry in task.account["set_aside"]),
            hint="See the rows with `afters preview`.",
        )
    _count_out(task.account, too_long)
    _measure(task, prompter, cut_rows=cut)


def _count_out(account: dict[str, Any], rows: Sequence[SetAside]) -> None:
    """Move rows from used to set aside: rows in = rows used + rows set aside."""
    if not rows:
        return
    train = account["train"]
    account["train"] = {**train, "used": train["used"] - len(rows), "set_aside": train["set_aside"] + len(rows)}
    examples = [{"source": row.source, "detail": row.detail} for row in rows[:5]]
    entry = {"side": "train", "reason": rows[0].reason, "count": len(rows), "examples": examples}
    account["set_aside"] = [*account["set_aside"], entry]


def _measure(task: TaskAtHand, prompter: Prompter, *, cut_rows: int) -> None:
    judged = [prompter.prompt(example) for example in task.test]
    answers = [_answer_length(example, prompter) for example in task.test]
    task.account["lengths"] = {
        "prompt_tokens": {
            "train": _spread(len(pair.prompt) for pair in task.pairs),
            "test": _spread(len(prompt.ids) for prompt in judged),
        },
        "answer_tokens": {"train": _spread(len(pair.answer) for pair in task.pairs), "test": _spread(answers)},
    }
    task.account["cut"] = {
        "train": {"prompts cut": cut_rows},
        "test": {"prompts cut": sum(prompt.tokens_cut > 0 for prompt in judged)},
    }


def _answer_length(example: Example, prompter: Prompter) -> int:
    return len(prompter.answer(example.references[0]))


def _spread(lengths: Iterable[int]) -> list[int]:
    """Return least, median, 95th percentile and most."""
    values = list(lengths)
    return [int(value) for value in np.quantile(values, [0, 0.5, 0.95, 1], method="higher")] if values else []
