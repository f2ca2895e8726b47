"""Asking before and after: the same prompts, the same decoding, and nothing asked twice.

Where several processes answer together, the first looks up what is known and tells the others what to ask (`Errand`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from afters.compare.change import interval
from afters.data.dataset import Dataset
from afters.data.nearest import NearestNeighbour
from afters.evaluate import evaluate, identity, score
from afters.metrics.metric import Metric
from afters.model import files
from afters.model.protocol import LanguageModel
from afters.records import Result
from afters.runfolder import RunFolder, label_at, label_in, label_of_other
from afters.study.settings import Study
from afters.study.work import TaskAtHand, Teller, Work

if TYPE_CHECKING:
    from afters.model.cache import AnswerCache
    from afters.model.parallel import Processes


@dataclass(frozen=True)
class Errand:
    """Who is asked what."""

    model: Literal["base", "tuned", "nearest"]
    task: str
    side: Literal["test", "validation"]
    shots: int
    wording: str | None = None
    """Which other wording asks, where it is not the one that decides."""
    rows: int | None = None
    """How many rows the tuned model was taught, where it is not the run's own."""
    other: str = ""
    """Which other model is asked, of a stage or made to lose less, where it is not the run's own."""


AskedLater = Callable[[], LanguageModel]
"""Gives the model when it is called."""

Worded = dict[str, Result]
"""Results of one model on the same rows, by the wording that asked."""


def ask_before(work: Work, task: TaskAtHand, base: AskedLater) -> dict[str, Result]:
    """Ask the base with every number of shots, on the validation side too, and the nearest-neighbour baseline."""
    judged = {}
    every = _numbers_of_shots(work, task)
    for shots in every:
        label = "before" if shots == 0 else f"shots={shots}"
        judged[label] = _ask(work, task, base, Errand("base", task.name, "test", shots), label=label)
    for shots in every if len(every) > 1 else ():
        label = f"validation shots={shots}"
        judged[label] = _ask(work, task, base, Errand("base", task.name, "validation", shots), label=label)
    if work.study.before.nearest and task.asks:
        errand = Errand("nearest", task.name, "test", 0)
        judged["nearest"] = _ask(work, task, lambda: NearestNeighbour(task.train), errand, label="nearest")
    return judged


def ask_after(work: Work, task: TaskAtHand, tuned: AskedLater) -> Result:
    """Ask the tuned model what the base was asked without shots."""
    return _ask(work, task, tuned, Errand("tuned", task.name, "test", 0), label="after")


def ask_in_other_wordings(work: Work, task: TaskAtHand, model: AskedLater, who: Literal["base", "tuned"]) -> Worded:
    """Ask what is asked without shots in every other wording that is judged."""
    label = "before" if who == "base" else "after"
    return {
        wording: _ask(
            *(work, task, model, Errand(who, task.name, "test", 0, wording)), label=label_in(wording, label=label)
        )
        for wording in task.other_wordings.asked
    }


def ask_with_fewer_rows(work: Work, task: TaskAtHand, tuned: AskedLater, rows: int) -> Result:
    """Ask a model that was taught only so many rows what the run's own is asked."""
    return _ask(work, task, tuned, Errand("tuned", task.name, "test", 0, rows=rows), label=label_at(rows))


def ask_kept(
    work: Work,
    model: AskedLater,
    who: Literal["base", "tuned"],
    *,
    other: str = "",
    side: Literal["test", "validation"] = "test",
) -> dict[str, Result]:
    """Ask what must not be lost: the base, the run's own model, or another.

    On the validation side only the tasks that have such rows are asked.
    """
    tasks = [task for task in work.kept if len(task.sides[side])]
    label = label_of_other(other) if other else "before" if who == "base" else "after"
    label = label if side == "test" else f"validation {label}"
    return {
        task.name: _ask(work, task, model, Errand(who, task.name, side, 0, other=other), label=label) for task in tasks
    }


def ask_other(
    work: Work, task: TaskAtHand, model: AskedLater, other: str, side: Literal["test", "validation"] = "test"
) -> Result:
    """Ask another model what the run's own is asked, or the same of validation rows."""
    label = label_of_other(other) if side == "test" else f"validation {label_of_other(other)}"
    return _ask(work, task, model, Errand("tuned", task.name, side, 0, other=other), label=label)


def best_shots(work: Work, task: TaskAtHand, judged: dict[str, Result]) -> int:
    """Return the number of shots that did best on the validation side; of equals, the fewest. No score is the worst."""
    every = _numbers_of_shots(work, task)
    if len(every) == 1:
        return 0
    sign = 1 if task.primary_metric.direction == "higher" else -1
    values = {shots: sign * judged[f"validation shots={shots}"].score(task.primary).value for shots in every}
    return max(values, key=lambda shots: (-math.inf if math.isnan(values[shots]) else values[shots], -shots))


def _numbers_of_shots(work: Work, task: TaskAtHand) -> tuple[int, ...]:
    return work.study.before.every if task.asks else (0,)


def with_shots(task: TaskAtHand, rows: Dataset, shots: int) -> Dataset:
    """Return `rows` with so many solved teaching rows in front of each question."""
    return rows.with_shots(shots, pool=task.train) if shots else rows


def rows_of(task: TaskAtHand, errand: Errand) -> Dataset:
    """Return what is asked."""
    if errand.wording is not None:
        return task.test.in_wording(errand.wording)
    return with_shots(task, task.test if errand.side == "test" else task.validation, errand.shots)


def base_model(work: Work) -> LanguageModel:
    """Load the base, ready to be asked."""
    limit = work.prompter.max_prompt_tokens
    return loaded(work.base, work.study, max_prompt_tokens=limit, processes=work.processes, cache=work.cache)


def tuned_model(work: Work) -> LanguageModel:
    """Load what the base became: the run's own model, or the base with the run's adapter."""
    is_adapter = files.is_adapter(work.folder.model)
    return loaded(
        work.base if is_adapter else work.folder.model,
        work.study,
        adapter=work.folder.model if is_adapter else None,
        max_prompt_tokens=work.prompter.max_prompt_tokens,
        processes=work.processes,
        cache=work.cache,
    )


def loaded(
    base: Path,
    study: Study,
    *,
    adapter: Path | None = None,
    max_prompt_tokens: int,
    processes: Processes | None = None,
    cache: AnswerCache | None = None,
) -> LanguageModel:
    """Load a model as the study says, ready to be asked."""
    from afters.model.answering import Answerer
    from afters.model.load import load
    from afters.model.parallel import ALONE

    settings = study.model
    return Answerer(
        load(
            base,
            adapter=adapter,
            precision=settings.precision,
            quantised=settings.quantised,
            max_prompt_tokens=max_prompt_tokens,
        ),
        processes=processes or ALONE,
        cache=cache,
    )


def _ask(work: Work, task: TaskAtHand, model: AskedLater, errand: Errand, *, label: str) -> Result:
    def sent(done: Iterable[str]) -> None:
        if errand.model != "nearest":
            work.processes.told({"ask": asdict(errand), "done": list(done)})

    rows = rows_of(task, errand)
    seed = work.study.seed
    return ask_once(model(), rows, task, label=label, seed=seed, folder=work.folder, tell=work.tell, sent=sent)


def ask_once(
    model: LanguageModel,
    rows: Dataset,
    task: TaskAtHand,
    *,
    label: str,
    seed: int,
    folder: RunFolder,
    tell: Teller,
    sent: Callable[[Iterable[str]], None] = lambda done: None,
) -> Result:
    """Return the Result of these rows: from the run folder where it stands there, else by asking.

    `sent` is told the ids of what is known, before anything is asked.
    """
    who = identity(model, rows, task.decoding)
    result = folder.find_result(who, task=task.name, label=label)
    if result is not None:
        tell.say(f"{task.name}: {label}: known already, nothing is asked")
    if result is None:
        known, keep = folder.answers(who)
        if known:
            tell.say(f"{task.name}: {label}: {len(known):,} of {len(rows):,} answers are known already")
        sent(known)
        with tell.stage(f"{task.name}: {label}", len(rows)) as advance:
            result = evaluate(
                model,
                rows,
                label=label,
                decoding=task.decoding,
                metrics=task.metrics,
                known=known,
                keep=keep,
                on_answers=advance,
            )
        _tell_how_it_went(result, tell)
    elif {(made.metric, made.signature) for made in result.scores} == {
        (metric.name, metric.signature) for metric in task.metrics
    }:
        return result
    else:  # The answers stand, but other scores were asked of them then.
        seconds = result.seconds
        result = score(result.cases, task.metrics, label=label, task=task.name, identity=who, seconds=seconds)
    result = _with_intervals(result, task.metrics, seed=seed)
    folder.keep_result(result)
    return result


def _tell_how_it_went(result: Result, tell: Teller) -> None:
    answers = [answer for case in result.cases for answer in case.predictions]
    if cached := sum(answer.from_cache for answer in answers):
        tell.say(f"{result.task}: {result.label}: {cached:,} of {len(answers):,} answers taken from the cache")
    if lost := sum(case.lost_shots for case in result.cases):
        tell.say(f"{result.task}: {result.label}: {lost:,} of {len(answers):,} prompts lost shots that did not fit")


def _with_intervals(result: Result, metrics: Iterable[Metric], *, seed: int) -> Result:
    ends = {name: pair for metric in metrics for name, pair in interval(result, metric, seed=seed).items()}
    # One cluster alone has no interval.
    known = {one.name: ends.get(one.name, (None, None)) for one in result.scores}
    scores = (replace(one, low=known[one.name][0], high=known[one.name][1]) for one in result.scores)
    return replace(result, scores=tuple(scores))
