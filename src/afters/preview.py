"""Rows as the model will read them, what of them is taught, where all went, what spoils a run. Loads no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from afters.data.checks import CHECKS, Finding, by_severity, check, look_at
from afters.data.dataset import Dataset
from afters.data.split import NORMALISER, SIDES, Side
from afters.data.tables import Tables
from afters.report.export import finding_plain, preview_json
from afters.report.inert import inert
from afters.report.terminal import print_checks
from afters.study.fitting import encode
from afters.study.settings import Study
from afters.study.start import start
from afters.study.tokens import TOKEN_CHECKS, check_tokens
from afters.study.work import TaskAtHand

if TYPE_CHECKING:
    from afters.model.prompt import Prompter

TAUGHT, CONTROL, READ = "bold green", "yellow", ""

WHO: Mapping[Side, str] = {"train": "taught", "test": "judged"}
"""The sides of which rows are shown."""

COLUMNS = ("read", "used", "set aside", "prompt tokens", "answer tokens")

LABELS = 12
"""Labels that are shown with their counts; `--json` has all."""


@dataclass(frozen=True)
class Checked:
    """A task with what the checks found."""

    task: TaskAtHand
    findings: tuple[Finding, ...]
    """What spoils a run first."""
    labels: Mapping[Side, Mapping[str, int]]
    """How often each label is the right one; nothing where answers are free."""

    @property
    def nothing_by(self) -> list[str]:
        """The checks that found nothing."""
        found = {finding.name for finding in self.findings}
        return [name for name in (*CHECKS, *TOKEN_CHECKS) if name not in found]


@dataclass(frozen=True)
class Previewed:
    """A study whose rows are read, encoded and checked."""

    study: Study
    prompter: Prompter
    tasks: tuple[Checked, ...]

    @property
    def spoilt_by(self) -> list[Finding]:
        """What would make a verdict mean nothing."""
        return [finding for task in self.tasks for finding in task.findings if finding.severity == "spoils"]

    def json(self, *, rows: int) -> str:
        """Return all of it, with some rows of each side, as JSON of schema `afters.preview/1`."""
        tasks = [self._plain(checked, rows=rows) for checked in self.tasks]
        return preview_json(self.study.name, tasks, spoilt=bool(self.spoilt_by))

    def _plain(self, checked: Checked, *, rows: int) -> dict[str, Any]:
        task = checked.task
        return {
            "name": task.name,
            "licence": task.train.template.licence or None,
            "rows": task.account,
            "limits": {
                "max_prompt_tokens": self.prompter.max_prompt_tokens,
                "max_new_tokens": self.study.judge.max_new_tokens,
            },
            "labels": checked.labels,
            "findings": [finding_plain(finding) for finding in checked.findings],
            "nothing_found_by": checked.nothing_by,
            "shown": [one for side in WHO for one in _rendered(self.prompter, task.sides[side], side, rows=rows)],
        }


def preview(study: Study, *, folder: Path, strict: bool = False, tables: Tables | None = None) -> Previewed:
    """Read, encode and check all rows of a study; arguments are those of `run`.

    Raises:
        InputError: what a run finds wrong in the study, its rows and its base before it loads the model.
    """
    with TemporaryDirectory() as draft:
        tasks, _, _, prompter, _ = start(study, files_in=folder, strict=strict, draft=Path(draft), tables=tables)
    encode(tasks, prompter, study)
    return Previewed(study, prompter, tuple(_checked(task, prompter, study) for task in tasks))


def _checked(task: TaskAtHand, prompter: Prompter, study: Study) -> Checked:
    looked = look_at(task.sides, task.account)
    of_tokens = check_tokens(task, prompter, max_new_tokens=study.judge.max_new_tokens)
    labels = {side: dict(labels.counts.most_common()) for side, labels in looked.labels.items()}
    return Checked(task, by_severity([*check(looked), *of_tokens]), labels)


def show(previewed: Previewed, *, rows: int = 2, console: Console | None = None) -> None:
    """Show some rows of each side of each task, the account of all rows, and what the checks found."""
    console = console or Console()
    prompter = previewed.prompter
    for checked in previewed.tasks:
        task = checked.task
        for side, use in WHO.items():
            _show_rows(console, prompter, task.sides[side], count=rows, title=f"{task.name}, {use}", side=side)
        console.rule(f"{task.name}, all rows", align="left")
        _show_account(console, task, prompter, max_new_tokens=previewed.study.judge.max_new_tokens)
        _show_labels(console, checked.labels)
        print_checks(checked.findings, checked.nothing_by, console)
        console.print(f"Rows say the same where their text is equal after: {NORMALISER}.", style="dim", highlight=False)


def _show_rows(console: Console, prompter: Prompter, dataset: Dataset, *, count: int, title: str, side: Side) -> None:
    for example in dataset[:count]:
        prompt = prompter.prompt(example)
        lengths = f"{len(prompt.ids)} tokens to read, {len(prompter.taught(example))} to write"
        console.rule(f"{title}: {example.source}, wording '{example.wording}', {lengths}", align="left")
        console.print(_tokens(prompter, prompt.ids, style=READ))
        if side == "train":
            console.print(_tokens(prompter, prompter.taught(example), style=TAUGHT))
        else:
            for reference in example.references:
                console.print(Text(f"reference: {inert(reference)}", style="cyan"))


def _tokens(prompter: Prompter, ids: Sequence[int], *, style: str) -> Text:
    """Return ids as text: control tokens marked, what is taught in green."""
    shown = Text()
    special = set(prompter.tokenizer.all_special_ids)
    run: list[int] = []
    for token in [*ids, None]:
        if token is None or token in special:
            shown.append(inert(prompter.tokenizer.decode(run)), style=style)
            run = []
            if token is not None:
                shown.append(prompter.tokenizer.convert_ids_to_tokens(token), style=CONTROL)
        else:
            run.append(token)
    return shown


def _rendered(prompter: Prompter, dataset: Dataset, side: Side, *, rows: int) -> Iterator[dict[str, Any]]:
    """Yield rows as plain values, with their control tokens."""
    for example in dataset[:rows]:
        read, taught = prompter.prompt(example).ids, prompter.taught(example)
        yield {
            "side": side,
            "source": example.source,
            "wording": example.wording,
            "read": prompter.tokenizer.decode(read),
            "taught": prompter.tokenizer.decode(taught) if side == "train" else None,
            "references": list(example.references),
            "prompt_tokens": len(read),
            "answer_tokens": len(taught),
        }


def _show_account(console: Console, task: TaskAtHand, prompter: Prompter, *, max_new_tokens: int) -> None:
    account = task.account
    table = _numbers("", *COLUMNS)
    for side in SIDES:
        counts = (f"{account[side][key]:,}" for key in ("read", "used", "set_aside"))
        lengths = (_lengths(account["lengths"][part][side]) for part in ("prompt_tokens", "answer_tokens"))
        table.add_row(side, *counts, *lengths)
    console.print(table)
    limits = (
        f"Tokens: median / 95 % / longest. The model reads up to {prompter.max_prompt_tokens:,}, and may write up to "
        f"{max_new_tokens:,}."
    )
    template = task.train.template
    licence = " from ".join(filter(None, (template.licence, template.source))) or "not known to the template"
    for line in (limits, f"Licence of the rows: {licence}.", *(f"note: {note}" for note in account["notes"])):
        console.print(inert(line), markup=False, highlight=False)


def _numbers(first: str, *columns: str) -> Table:
    """Return an empty table of numbers, whose first column says what they are of."""
    table = Table(first, box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _lengths(spread: Sequence[int]) -> str:
    return " / ".join(f"{tokens:,}" for tokens in spread[1:])


def _show_labels(console: Console, labels: Mapping[Side, Mapping[str, int]]) -> None:
    """Show how often each label is right on each side, the most frequent ones of the teaching side first."""
    if not labels:
        return
    table = _numbers("label", *SIDES)
    names = list(dict.fromkeys(label for side in SIDES for label in labels[side]))
    for name in names[:LABELS]:
        shares = (_share(labels[side].get(name, 0), sum(labels[side].values())) for side in SIDES)
        table.add_row(Text(inert(name)), *shares)
    if len(names) > LABELS:
        table.add_row(f"and {len(names) - LABELS:,} more")
    console.print(table)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.0%})" if whole else "-"
