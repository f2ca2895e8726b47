"""Task: rows, a template and metrics; `prepare` makes its three Datasets and accounts for every row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from afters.data.account import ALSO, OVER, Account
from afters.data.columns import rows_of
from afters.data.dataset import Dataset
from afters.data.gather import gather
from afters.data.render import Renderer
from afters.data.settings import TaskSettings
from afters.data.split import SIDES, Side, ids_of
from afters.data.tables import Tables
from afters.data.template import Template, Wording
from afters.errors import DataError, InputError
from afters.records import SetAside

__all__ = ["Prepared", "TaskSettings", "prepare"]


@dataclass(frozen=True)
class Prepared:
    """A task whose rows are read, checked, split and counted."""

    settings: TaskSettings
    template: Template
    train: Dataset
    validation: Dataset
    test: Dataset
    account: Mapping[str, Any]
    """Where every row went, ready for JSON; see `Account.told`."""

    @property
    def judged(self) -> Wording:
        """The wording that judging asks."""
        return self.template.wording(self.settings.judge_wording)

    @property
    def choices(self) -> tuple[str, ...] | str | None:
        """The closed set of answers that judging offers, as the template writes it."""
        return self.template.choices_for(self.judged)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics declared, or what the judged wording or its template suggests."""
        return self.settings.metrics or self.judged.metrics or self.template.metrics

    @property
    def primary(self) -> str | None:
        """The score that decides, where one is declared; the template's goes with the template's metrics only."""
        others = self.settings.metrics or self.judged.metrics
        return self.settings.primary or (None if others else self.template.primary)


def prepare(
    settings: TaskSettings,
    *,
    seed: int,
    folder: Path,
    strict: bool = False,
    inverted: float | None = None,
    tables: Tables | None = None,
) -> Prepared:
    """Read a task's rows, split them by content, set aside what cannot be used, and count everything.

    A teaching row whose content stands on a judging side is set aside; judging rows never change for another's sake.
    With `strict`, the first row that is broken or cannot be asked is an error. `inverted` is the share of taught
    contents that inverted wordings ask, where there are some; that of the wordings when not given. A task that names
    only judging rows has nothing on the other two sides.

    Raises:
        InputError: a template, a file or a column is wrong (all that are wrong are told together), or a side is empty.
    """
    account = Account()
    template, rows, keys = gather(settings, seed=seed, folder=folder, account=account, strict=strict, tables=tables)
    account.compare(keys)
    taught = set(keys["train"])
    judged = {
        key: (side, rows[side].source(position))
        for side in SIDES[1:]
        for position, key in enumerate(keys[side])
        if key in taught
    }
    made = {}
    for side in SIDES:
        references = template.references_in(rows[side].table.column_names, judging=side != "train")
        renderer = Renderer(
            settings.name,
            template,
            side,
            seed,
            settings.judge_wording,
            references,
            inverted if side == "train" else None,
        )
        whole = Dataset(rows[side], ids_of(keys[side]), renderer)
        usable = whole.select(list(_usable(whole, keys[side], judged if side == "train" else {}, account, strict)))
        made[side] = _limited(usable, settings.limit_of(side), seed=seed, account=account)
        _finish(made[side], account, needed=settings.teaches or side == "test")
    pa.default_memory_pool().release_unused()  # what was read and is not kept
    return Prepared(settings, template, made["train"], made["validation"], made["test"], account.told())


def _usable(
    dataset: Dataset, keys: Sequence[str], judged: Mapping[str, tuple[Side, str]], account: Account, strict: bool
) -> Iterator[int]:
    """Yield the positions of the rows that can be used, and count the others as set aside."""
    for position, row in enumerate(rows_of(dataset.rows.table)):
        source = dataset.rows.source(position)
        if keys[position] in judged:
            side, where = judged[keys[position]]
            account.set_aside(dataset.side, SetAside(source, f"{ALSO} {side} side", f"as {where}"))
            continue
        try:
            dataset.renderer.example(row, id=dataset.ids[position], source=source)
        except InputError as problem:
            if strict:
                raise _located(problem, source) from None
            account.set_aside(dataset.side, SetAside(source, problem.what, problem.received or ""))
        else:
            yield position


def _located(problem: InputError, source: str) -> DataError:
    where = f"{source}:{problem.where}" if problem.where else source
    hint = problem.hint or "Mend or remove the row; without strict checking it is set aside and counted."
    return DataError(problem.what, where=where, expected=problem.expected, received=problem.received, hint=hint)


def _limited(dataset: Dataset, limit: int | None, *, seed: int, account: Account) -> Dataset:
    kept = dataset.take(limit, seed=seed)
    used = set(kept.ids)
    for position, identifier in enumerate(dataset.ids):
        if identifier not in used:
            reason = f"{OVER} {dataset.side}_limit = {limit}"
            account.set_aside(dataset.side, SetAside(dataset.rows.source(position), reason))
    return kept


def _finish(dataset: Dataset, account: Account, *, needed: bool) -> None:
    """Count the rows as used; a side that is needed and has none is an error."""
    side = dataset.side
    account.use(side, len(dataset))
    if not needed or len(dataset):
        return
    reasons = account.reasons(side)
    if f"{ALSO} " in reasons:
        hint = "What is judged is not taught: give rows that stand on no other side, or one `source`, to be split."
    elif reasons:
        hint = "Mend the rows, or what the task says of them."
    else:
        hint = f"Give a `{side}` file with more rows, or another share in `fractions`."
    where = f"{dataset.rows.file}, task '{dataset.task}'"
    received = reasons or "no row was dealt to it"
    raise DataError(f"the {side} side has no usable row", where=where, expected="one", received=received, hint=hint)
