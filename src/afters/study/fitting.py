"""Rows become token ids; one that is longer than the model reads or writes is refused, set aside or cut."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.data.account import SHOWN
from afters.data.dataset import Dataset
from afters.data.split import Side
from afters.errors import InputError, SettingsError, collected, raise_together
from afters.records import Example, SetAside
from afters.report.numbers import count
from afters.study.proportions import counts_of
from afters.study.settings import Study
from afters.study.work import Measured, TaskAtHand

if TYPE_CHECKING:
    from afters.model.prompt import EncodedPrompt, Prompter

TOGETHER = 256
"""Rows that meet the tokenizer at once."""

NAMED = 3
"""Rows that a message names; the others are counted."""


class Long(NamedTuple):
    """A row that does not fit."""

    side: Side
    source: str
    part: str
    """What of it is too long: the prompt, the answer, or both together."""
    tokens: int
    limit: int
    wording: str = ""
    """Which one asks it, where that is not the one that decides."""


class Read(NamedTuple):
    """A row that fits."""

    prompt: EncodedPrompt
    answer: Sequence[int]


class _Fitted:
    """What is known of a side once its rows were read: the long ones, and of the others how long they are."""

    def __init__(self) -> None:
        self.long: list[Long] = []
        self.fitting: list[int] = []
        self._numbers = array("i"), array("i"), array("i")

    def add(self, position: int, row: Read | Long) -> None:
        """Count the row at a position."""
        if isinstance(row, Long):
            self.long.append(row)
            return
        self.fitting.append(position)
        for numbers, number in zip(self._numbers, _sizes(row), strict=True):
            numbers.append(number)

    def measured(self) -> Measured:
        """Return how long the fitting rows are."""
        return Measured(*(np.array(numbers, np.int32) for numbers in self._numbers))


def _sizes(row: Read) -> tuple[int, int, int]:
    return len(row.prompt.ids), len(row.answer), row.prompt.tokens_cut


def encode(tasks: Sequence[TaskAtHand], prompter: Prompter, study: Study) -> None:
    """Do what `fit` does, and settle how many of its rows each task gives to a pass.

    Raises:
        SettingsError: as by `fit`; or no teaching row fits into a batch, or a task would be taught no row.
    """
    fit(tasks, prompter, study)
    _hold_against(study.train.token_budget, tasks)
    for task, rows in zip(tasks, counts_of(study, [len(task.train) for task in tasks]), strict=True):
        task.rows_a_pass = rows
        if rows != len(task.train):
            times = rows / len(task.train)
            task.account["notes"] = [
                *task.account["notes"],
                f"a pass of the mixture takes {rows:,} rows: {times:.3g} times what there is",
            ]


def fit(tasks: Sequence[TaskAtHand], prompter: Prompter, study: Study) -> None:
    """Turn the teaching rows into token ids and measure all rows; what does not fit is dealt with and counted.

    Raises:
        SettingsError: a row does not fit and may neither be cut nor left out; a judged row never is. Or no teaching
            row is left. The problems of all tasks are told together.
    """
    _leave_room(prompter, max_new_tokens=study.judge.max_new_tokens)
    problems: list[InputError] = []
    for task in tasks:
        with collected(problems):
            _encode(task, prompter, by_loss=study.train.keep_best_by == "loss")
    raise_together(problems)


def fit_kept(kept: Sequence[TaskAtHand], prompter: Prompter, study: Study) -> tuple[list[TaskAtHand], dict[str, str]]:
    """Measure the rows of what must not be lost, and return the tasks that the model can be asked.

    What the study names has to fit. Probes that nobody named are left out where they do not: second, by name, why.

    Raises:
        SettingsError: as by `fit`.
    """
    if study.keep.names_something:
        fit(kept, prompter, study)
        return list(kept), {}
    fitting, left_out = list[TaskAtHand](), dict[str, str]()
    for task in kept:
        try:
            fit([task], prompter, study)
        except InputError as problem:
            left_out[task.name] = problem.what
        else:
            fitting.append(task)
    return fitting, left_out


def _leave_room(prompter: Prompter, *, max_new_tokens: int) -> None:
    """Refuse limits of prompt and answer that the model has no places for."""
    read, places = prompter.max_prompt_tokens, prompter.positions
    needed = max(read, max_new_tokens) if prompter.encoder_decoder else read + max_new_tokens
    if places is not None and needed > places:
        raise SettingsError(
            f"the model has places for {places:,} tokens",
            where="[model] max_prompt_tokens, [judge] max_new_tokens",
            expected=f"at most {places:,}" + ("" if prompter.encoder_decoder else " together"),
            received=f"{read:,} and {max_new_tokens:,}",
        )


def _encode(task: TaskAtHand, prompter: Prompter, *, by_loss: bool) -> None:
    from afters.train.lessons import Pairs

    task.pairs, taught = Pairs(), _Fitted()
    for position, example in enumerate(_ahead(task.train, prompter)):
        row = _read(example, "train", prompter, may_cut=task.too_long == "cut", answers=True)
        taught.add(position, row)
        if isinstance(row, Read):
            task.pairs.append(row.prompt.ids, row.answer)
    sides: dict[Side, _Fitted] = {
        "train": taught,
        "validation": _judged(task, "validation", task.validation, prompter, answers=by_loss),
        "test": _judged(task, "test", task.test, prompter, answers=False),
    }
    besides = {
        wording: _judged(task, "test", task.test.in_wording(wording), prompter, answers=False)
        for wording in task.other_wordings.asked
    }
    aside = taught.long if task.too_long == "drop" else []
    long = [row for side in sides.values() if side.long is not aside for row in side.long]
    long += [row._replace(wording=wording) for wording, fitted in besides.items() for row in fitted.long]
    if long:
        raise _refused(task, long)
    _count_out(task.account, aside)
    if len(task.train) and not taught.fitting:
        received = "; ".join(f"{entry['count']} × {entry['reason']}" for entry in task.account["set_aside"])
        hint = "See the rows with `afters preview`."
        where = f"[[task]] {task.name}"
        raise SettingsError("no teaching row is left to teach", where=where, received=received, hint=hint)
    if aside:
        task.train = task.train.select(taught.fitting)
    task.measured = {side: fitted.measured() for side, fitted in sides.items()}
    _tell_lengths(task.account, task.measured)
    if besides:
        shortened = sum(int((fitted.measured().cut > 0).sum()) for fitted in besides.values())
        task.account["cut"]["test, other wordings"] = {"prompts cut": shortened}


def _judged(task: TaskAtHand, side: Side, rows: Dataset, prompter: Prompter, *, answers: bool) -> _Fitted:
    """Read the rows of a judging side; they are cut like taught ones, and never left out."""
    fitted = _Fitted()
    for position, example in enumerate(_ahead(rows, prompter)):
        fitted.add(position, _read(example, side, prompter, may_cut=task.too_long != "error", answers=answers))
    return fitted


def _ahead(rows: Iterable[Example], prompter: Prompter) -> Iterator[Example]:
    """Yield the rows, after the prompter has read so many of them together."""
    remaining = iter(rows)
    while batch := list(islice(remaining, TOGETHER)):
        prompter.read_ahead(batch)
        yield from batch


def _read(example: Example, side: Side, prompter: Prompter, *, may_cut: bool, answers: bool) -> Read | Long:
    """Encode a row; `answers` says whether the model must have room for the right one too, not only for its own."""
    from afters.model.prompt import PromptTooLong

    try:
        prompt = prompter.prompt(example)
    except PromptTooLong as problem:
        return Long(side, example.source, "prompt", problem.tokens, problem.limit)
    if prompt.tokens_cut and not may_cut:
        whole = len(prompt.ids) + prompt.tokens_cut
        return Long(side, example.source, "prompt", whole, prompter.max_prompt_tokens)
    answer = prompter.taught(example)
    longest = max([len(answer) if answers else 0, *map(len, prompter.choices(example))])
    read = 0 if prompter.encoder_decoder else len(prompt.ids)
    if prompter.positions is not None and read + longest > prompter.positions:
        part = "answer" if prompter.encoder_decoder else "prompt and answer"
        return Long(side, example.source, part, read + longest, prompter.positions)
    return Read(prompt, answer)


def _refused(task: TaskAtHand, long: Sequence[Long]) -> SettingsError:
    rows = dict.fromkeys((row.side, row.source) for row in long)  # each once, in however many wordings
    counts = Counter("to teach" if side == "train" else "to judge" for side, _ in rows)
    named = [f"{_place(row)}: {row.part} of {row.tokens:,} tokens, {row.limit:,} fit" for row in long[:NAMED]]
    more = [f"and {len(long) - NAMED:,} more"] if len(long) > NAMED else []
    return SettingsError(
        f"rows are too long for the model: {', '.join(f'{rows:,} {use}' for use, rows in counts.items())}",
        where=f"[[task]] {task.name}",
        received="\n    ".join([*named, *more]),
        hint=" ".join(_ways_out(task, long)),
    )


def _place(row: Long) -> str:
    return f"{row.source} in the wording '{row.wording}'" if row.wording else row.source


def _ways_out(task: TaskAtHand, long: Iterable[Long]) -> Iterator[str]:
    cut = task.train.template.cut
    if any(row.part == "prompt" for row in long):
        if cut is None:
            yield 'Name the column that may be shortened (cut = "…" in the task), or raise [model] max_prompt_tokens.'
        elif task.too_long == "error":
            yield f'Set too_long = "cut" in the task to shorten the column {cut}.'
        else:
            yield f"Shortening the column {cut} is not enough: shorten the wording, or raise [model] max_prompt_tokens."
    if any(row.part != "prompt" for row in long):
        yield "Answers are never cut: shorten them in the file, or take a model that writes longer ones."
    if task.too_long != "drop" and all(row.side == "train" for row in long):
        yield 'Or leave these rows out: too_long = "drop".'
    elif any(row.side != "train" for row in long):
        yield "Judged rows are never left out."


def _count_out(account: dict[str, Any], long: Sequence[Long]) -> None:
    """Move rows from used to set aside: rows in = rows used + rows set aside."""
    train = account["train"]
    account["train"] = {**train, "used": train["used"] - len(long), "set_aside": train["set_aside"] + len(long)}
    by_reason: dict[str, list[SetAside]] = {}
    for row in long:
        detail = f"{row.tokens:,} tokens, {row.limit:,} fit"
        aside = SetAside(row.source, f"{row.part} too long for the model", detail)
        by_reason.setdefault(aside.reason, []).append(aside)
    for reason, rows in by_reason.items():
        examples = [{"source": row.source, "detail": row.detail} for row in rows[:SHOWN]]
        entry = {"side": "train", "reason": reason, "count": len(rows), "examples": examples}
        account["set_aside"] = [*account["set_aside"], entry]


def _tell_lengths(account: dict[str, Any], measured: Mapping[Side, Measured]) -> None:
    """Note for each side how long prompts and answers are, and how many prompts were cut."""
    account["lengths"] = {
        "prompt_tokens": {side: _spread(rows.prompts) for side, rows in measured.items()},
        "answer_tokens": {side: _spread(rows.answers) for side, rows in measured.items()},
    }
    account["cut"] = {side: {"prompts cut": int((rows.cut > 0).sum())} for side, rows in measured.items()}


def _spread(lengths: NDArray[np.int32]) -> list[int]:
    """Return least, median, 95th percentile and most."""
    if not len(lengths):
        return []
    return [int(value) for value in np.quantile(lengths, [0, 0.5, 0.95, 1], method="higher")]


def _hold_against(budget: int, tasks: Iterable[TaskAtHand]) -> None:
    """Refuse a budget of tokens into which no row fits, and note where some do not."""
    lengths = {task.name: task.pairs.sizes().sum(axis=1) for task in tasks}
    shortest, longest = min(map(min, lengths.values())), max(map(max, lengths.values()))
    if shortest > budget:
        raise SettingsError(
            "no row fits into a batch",
            where="[train] token_budget",
            expected=f"at least {longest}, the longest row",
            received=f"{budget}, and the shortest row has {shortest} tokens",
        )
    for task in tasks:
        longer = int((lengths[task.name] > budget).sum())
        if longer:
            rows = count(longer, "teaching row")
            note = f"longer than [train] token_budget = {budget}, and so a batch each: {rows}"
            task.account["notes"] = [*task.account["notes"], note]
