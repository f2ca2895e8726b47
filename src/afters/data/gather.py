"""The files of a task are read, checked together, and dealt out to the three sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from afters.data import conversations
from afters.data.account import Account
from afters.data.columns import rows_of
from afters.data.numerals import alike
from afters.data.settings import TaskSettings, template_of
from afters.data.sources import Rows, read_named
from afters.data.split import SIDES, Side, content_of, digest, named_side, side_of
from afters.data.tables import Tables
from afters.data.template import Template
from afters.errors import DataError, InputError, Problems, TemplateError, raise_together, unknown
from afters.records import SetAside


class Gathered(NamedTuple):
    """A task's template, and the rows of each side with the digests of their content."""

    template: Template
    rows: Mapping[Side, Rows]
    keys: Mapping[Side, tuple[str, ...]]


def gather(
    settings: TaskSettings,
    *,
    seed: int,
    folder: Path,
    account: Account,
    strict: bool = False,
    tables: Tables | None = None,
) -> Gathered:
    """Read and check everything that a task names, deal out the rows, and count them as read.

    Raises:
        InputError: a template, a file or a column is wrong; all that are wrong are told together.
    """
    problems: list[InputError] = []
    template = None
    with _collecting(problems):
        template = template_of(settings, folder=folder)
    files = _read(settings, folder=folder, strict=strict, tables=tables, problems=problems)
    if template is not None:
        _check(settings, template, files, problems)
    raise_together(list({str(problem): problem for problem in problems}.values()))
    assert template is not None
    account.notes += template.notes
    used = [*template.used_columns(), *filter(None, [template.cut])]
    files = _written_alike(files, used, account)
    rows = _dealt(settings, files, asked=template.asked_columns(), seed=seed, account=account)
    keys = {side: tuple(_keys(rows[side], template.asked_columns())) for side in SIDES}
    return Gathered(template, {side: rows[side].only(used) for side in SIDES}, keys)


@contextmanager
def _collecting(problems: list[InputError]) -> Iterator[None]:
    try:
        yield
    except Problems as several:
        problems.extend(several.problems)
    except InputError as problem:
        problems.append(problem)


def _read(
    settings: TaskSettings, *, folder: Path, strict: bool, tables: Tables | None, problems: list[InputError]
) -> dict[str, Rows]:
    files = {}
    for part, name in settings.files().items():
        with _collecting(problems):
            rows = read_named(name, folder=folder, tables=tables, strict=strict)
            files[part] = (
                conversations.unfolded(rows, strict=strict) if settings.template == conversations.NAME else rows
            )
    return files


def _check(settings: TaskSettings, template: Template, files: Mapping[str, Rows], problems: list[InputError]) -> None:
    for part, rows in files.items():
        names = rows.table.column_names
        for judging in [False, True] if part == "source" else [part != "train"]:
            with _collecting(problems):
                template.check(names, judging=judging, file=rows.file)
    if settings.split_column is not None and "source" in files:
        names = files["source"].table.column_names
        if settings.split_column not in names:
            where = f"{files['source'].file}, split_column"
            problems.append(DataError(unknown("column", settings.split_column, names), where=where))
    if settings.references:
        problems += _references_nowhere(template.reference_columns(), files)


def _references_nowhere(references: Sequence[str], files: Mapping[str, Rows]) -> list[InputError]:
    """Return a problem where references are declared and no judging file has any of them: they may be misspelt."""
    judging = {part: rows for part, rows in files.items() if part != "train"}
    names = {name for rows in judging.values() for name in rows.table.column_names}
    if not judging or names & set(references):
        return []
    shown = ", ".join(rows.file for rows in judging.values())
    hint = "Without `references`, the answer is what judging compares with."
    return [TemplateError(unknown("column", references[0], names), where=f"{shown}, references", hint=hint)]


def _written_alike(files: Mapping[str, Rows], columns: Sequence[str], account: Account) -> dict[str, Rows]:
    """Return the files with the numbers of each column written alike, and note where they were not."""
    written = dict(files)
    for name in dict.fromkeys(columns):
        parts = [part for part, rows in written.items() if name in rows.table.column_names]
        made = alike([written[part].table[name] for part in parts])
        if made.written is None:
            continue
        for part, column in zip(parts, made.columns, strict=True):
            table = written[part].table
            table = table.set_column(table.column_names.index(name), name, column)
            written[part] = replace(written[part], table=table)
        where = ", ".join(dict.fromkeys(written[part].file for part in parts))
        account.notes.append(f"{where} did not write the numbers of '{name}' alike: they are made {made.written}")
    return written


def _dealt(
    settings: TaskSettings, files: Mapping[str, Rows], *, asked: Sequence[str], seed: int, account: Account
) -> dict[Side, Rows]:
    """Return the rows of each side, and count all that were read."""
    if "source" in files:
        whole = files["source"]
        account.broken("unassigned", whole.set_aside)
        if settings.split_column is None and whole.official is not None:
            account.notes.append(f"{whole.file} says which rows judge; some of the others are kept back to validate on")
        sides = _sides(settings, whole, asked=asked, seed=seed)
        rows = {side: whole.take([i for i, found in enumerate(sides) if found == side]) for side in SIDES}
    else:
        rows = {side: files[side] for side in SIDES if side in files}
        for side, given in rows.items():
            account.broken(side, given.set_aside)
        rows["test"] = _official(rows["test"], account)
        if "train" not in rows:
            rows["train"] = rows["validation"] = rows["test"].take([])
        elif "validation" not in rows:
            rows |= _kept_back(rows["train"], settings.fractions.kept_back(), asked=asked, seed=seed)
            account.notes.append("no validation file was given: some teaching rows are kept back to validate on")
    for side in SIDES:
        account.read(side, len(rows[side].table))
    return rows


def _official(rows: Rows, account: Account) -> Rows:
    """Return the rows that their publisher judges by, if the file says so, and count the others as set aside."""
    if rows.official is None:
        return rows
    judging = [name == "test" for name in rows.table[rows.official].to_pylist()]
    reason = "not among the rows that its publisher judges by"
    account.broken("test", [SetAside(rows.source(i), reason) for i, judged in enumerate(judging) if not judged])
    return rows.take([i for i, judged in enumerate(judging) if judged])


def _sides(settings: TaskSettings, rows: Rows, *, asked: Sequence[str], seed: int) -> list[Side]:
    if settings.split_column is None and rows.official is not None:
        fractions = settings.fractions.kept_back()
        judging = [name == "test" for name in rows.table[rows.official].to_pylist()]
        taught = (side_of(key, fractions=fractions, seed=seed) for key in _keys(rows, asked))
        return ["test" if judged else side for judged, side in zip(judging, taught, strict=True)]
    if settings.split_column is None:
        fractions = settings.fractions.by_side()
        return [side_of(key, fractions=fractions, seed=seed) for key in _keys(rows, asked)]
    column = settings.split_column
    named = rows.table[column].to_pylist()
    return [named_side(name, where=f"{rows.source(i)}:{column}") for i, name in enumerate(named)]


def _kept_back(rows: Rows, fractions: Mapping[Side, float], *, asked: Sequence[str], seed: int) -> dict[Side, Rows]:
    sides = [side_of(key, fractions=fractions, seed=seed) for key in _keys(rows, asked)]
    both: tuple[Side, Side] = ("train", "validation")
    return {side: rows.take([i for i, found in enumerate(sides) if found == side]) for side in both}


def _keys(rows: Rows, asked: Sequence[str]) -> Iterator[str]:
    there = [column for column in asked if column in rows.table.column_names]  # a template may do without some
    for row in rows_of(rows.table.select(there)):
        yield digest(content_of(row, asked))
