"""Rows as the model will read them, what of them is taught, and what was set aside. Loads no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from afters.data.dataset import Dataset
from afters.report.inert import inert
from afters.report.numbers import count
from afters.study.fitting import encode
from afters.study.settings import Study
from afters.study.start import start

if TYPE_CHECKING:
    from afters.model.prompt import Prompter

TAUGHT, CONTROL, READ = "bold green", "yellow", ""


def preview(study: Study, *, folder: Path, rows: int = 2, strict: bool = False, console: Console | None = None) -> None:
    """Show some rows of each side of each task, and the account of all rows.

    Raises:
        InputError: everything that a run would find wrong before it loads the model.
    """
    console = console or Console()
    with TemporaryDirectory() as draft:
        tasks, _, prompter, _ = start(study, files_in=folder, strict=strict, draft=Path(draft))
    encode(tasks, prompter, study)
    for task in tasks:
        for side, dataset in (("taught", task.train), ("judged", task.test)):
            _show_rows(console, prompter, dataset, count=rows, title=f"{task.name}, {side}", taught=side == "taught")
        _show_account(console, task.account)


def _show_rows(console: Console, prompter: Prompter, dataset: Dataset, *, count: int, title: str, taught: bool) -> None:
    for example in dataset[:count]:
        prompt = prompter.prompt(example)
        lengths = f"{len(prompt.ids)} tokens to read, {len(prompter.taught(example))} to write"
        console.rule(f"{title}: {example.source}, wording '{example.wording}', {lengths}", align="left")
        console.print(_tokens(prompter, prompt.ids, style=READ))
        if taught:
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


def _show_account(console: Console, account: Mapping[str, Any]) -> None:
    table = Table("", "read", "used", "set aside", title="rows", title_justify="left")
    for side in ("train", "validation", "test"):
        counts = account[side]
        table.add_row(side, *(f"{counts[key]:,}" for key in ("read", "used", "set_aside")))
    console.print(table)
    for entry in account["set_aside"]:
        first = entry["examples"][0]["source"] if entry["examples"] else ""
        console.print(f"set aside: {entry['count']:,} × {entry['reason']} (first: {first})", markup=False)
    for side, counts in account["cut"].items():
        if counts["prompts cut"]:
            console.print(f"shortened: {count(counts['prompts cut'], 'prompt')} of the {side} side", markup=False)
    for note in account["notes"]:
        console.print(f"note: {note}", markup=False)
