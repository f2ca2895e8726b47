"""Dataset: rows kept as Arrow, made Examples when they are looked at, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple, overload

from afters.data import sandbox
from afters.data.columns import rows_of
from afters.data.render import Renderer
from afters.data.sources import Rows
from afters.data.split import Side, chosen, seeded_order
from afters.data.template import Template
from afters.errors import DataError, InputError
from afters.records import Example, Shot

LOOKED_AT = 1_000
"""Teaching rows among which the shots are sought; rendering a million to find three would take a minute."""


class Solved(NamedTuple):
    """A shot, and the digest of the content that it must not stand before."""

    key: str
    shot: Shot


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Example]):
    """The usable rows of one side of one task: one object is judged before and after."""

    rows: Rows
    ids: tuple[str, ...]
    """One for each row; see `split.ids_of`."""
    renderer: Renderer
    solved: tuple[Solved, ...] = ()
    """What the shots are taken from: one more than `shots`, for the row that is itself among them."""
    shots: int = 0
    """How many solved examples stand in each prompt."""

    def __post_init__(self) -> None:
        assert len(self.ids) == len(self.rows.table) == len(set(self.ids))

    @property
    def task(self) -> str:
        """The task's name."""
        return self.renderer.task

    @property
    def side(self) -> Side:
        """Whether these rows teach or judge."""
        return self.renderer.side

    @property
    def template(self) -> Template:
        """What makes Examples of the rows."""
        return self.renderer.template

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> list[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | list[Example]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        position = range(len(self))[index]
        return self._example(position, self.rows.table.slice(position, 1).to_pylist()[0])

    def __iter__(self) -> Iterator[Example]:
        for position, row in enumerate(rows_of(self.rows.table)):
            yield self._example(position, row)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of all that decides what the Examples say, but for their shots.

        The seed counts on the teaching side, where it draws wordings; a judging side is the same under another seed, if
        its rows are.
        """
        whole = hashlib.sha256(json.dumps(self._settings(), sort_keys=True).encode())
        used = [name for name in self.template.used_columns() if name in self.rows.table.column_names]
        for identifier, row in zip(self.ids, rows_of(self.rows.table.select(used)), strict=True):
            whole.update(json.dumps([identifier, row], sort_keys=True, default=str).encode())
        return whole.hexdigest()

    @cached_property
    def shots_fingerprint(self) -> str:
        """How many shots, and the SHA-256 of what they say; "0" without shots."""
        return f"{self.shots}:{hashlib.sha256(repr(self.solved).encode()).hexdigest()[:16]}" if self.shots else "0"

    def with_shots(self, count: int, *, pool: Dataset) -> Dataset:
        """Return the same rows with `count` solved examples in each prompt, all rows the same ones.

        They come from the teaching rows of `pool`, in seeded order, so that one shot is the first of two; their prompts
        are no longer than the median, so that they fit; each new one has the choice that was shown least. A row that
        is itself among them gets the next one instead.

        Raises:
            DataError: the pool has too few usable rows.
        """
        assert pool.side == "train", "shots come from teaching rows only"
        found = _spread(pool._candidates(seed=self.renderer.seed), count + 1) if count else ()
        if len(found) < count:
            expected = f"{count} teaching rows that can stand as solved examples"
            raise DataError("too few shots", where=f"task '{self.task}'", expected=expected, received=str(len(found)))
        return replace(self, solved=found, shots=count)

    def in_wording(self, name: str) -> Dataset:
        """Return the same judged rows, asked in the wording of that id."""
        assert self.side != "train" and not self.shots, "taught rows and shots have wordings of their own"
        return replace(self, renderer=replace(self.renderer, judge_wording=name))

    def as_judged(self) -> Iterator[Example]:
        """Yield the rows as judging would ask and answer them; those that it cannot ask are left out."""
        judged = replace(self, renderer=replace(self.renderer, side="test"))
        for position, row in enumerate(rows_of(self.rows.table)):
            with suppress(InputError):
                yield judged._example(position, row)

    def with_solved(self, position: int, others: Sequence[int], *, count: int) -> Example:
        """Return the Example at a position with up to `count` of the rows at `others` solved before it.

        They are asked in the Example's own wording; those that say the same as it, or nothing in that wording, are
        passed over. What was said before the Example's question stays next to it.
        """
        asked = self[position]
        solved = islice(self._solved(others, asked=asked), count)
        return replace(asked, shots=(*solved, *asked.shots))

    def _solved(self, others: Sequence[int], *, asked: Example) -> Iterator[Shot]:
        for row in self.rows.take(others).table.to_pylist():
            if self.renderer.key(row) != asked.cluster:
                with suppress(InputError):
                    yield self.renderer.shot(row, wording=asked.wording)

    def take(self, limit: int | None, *, seed: int) -> Dataset:
        """Return at most `limit` rows, by chance; a higher limit keeps all rows of a lower one."""
        return self.select(chosen(self.ids, limit, seed=seed))

    def select(self, positions: Sequence[int]) -> Dataset:
        """Return only the rows at these positions."""
        ids = tuple(self.ids[position] for position in positions)
        return replace(self, rows=self.rows.take(positions), ids=ids)

    def _example(self, position: int, row: dict[str, object]) -> Example:
        identifier = self.ids[position]
        shots: tuple[Shot, ...] = ()
        if self.shots:
            key = self.renderer.key(row)
            shots = tuple(solved.shot for solved in self.solved if solved.key != key)[: self.shots]
        return self.renderer.example(row, id=identifier, source=self.rows.source(position), shots=shots)

    def _settings(self) -> dict[str, object]:
        return {
            "renderer": sandbox.RENDERER,
            "template": self.template.fingerprint(),
            "task": self.task,
            "side": self.side,
            "seed": self.renderer.seed if self.side == "train" else None,
            "wording": self.renderer.judge_wording,
            "references": self.renderer.references,
            **({} if self.renderer.inverted is None else {"inverted": self.renderer.inverted}),
        }

    def _candidates(self, *, seed: int) -> list[Solved]:
        """Return rows that may be shots, in seeded order: none twice, none longer than the median."""
        positions = seeded_order(self.ids, "shots", seed=seed)[:LOOKED_AT]
        found: dict[str, Shot] = {}
        for row in rows_of(self.rows.take(positions).table):
            try:
                found.setdefault(self.renderer.key(row), self.renderer.shot(row))
            except InputError:  # asked as judging asks, this row says nothing
                continue
        middle = statistics.median(len(shot.question) for shot in found.values()) if found else 0
        return [Solved(key, shot) for key, shot in found.items() if len(shot.question) <= middle]


def _spread(candidates: Sequence[Solved], count: int) -> tuple[Solved, ...]:
    """Return the first `count` candidates, but each time the one whose answer was taken least so far."""
    remaining, taken = list(candidates), list[Solved]()
    answers: Counter[str] = Counter()
    while remaining and len(taken) < count:
        best = min(remaining, key=lambda solved: answers[solved.shot.answer])
        remaining.remove(best)
        taken.append(best)
        answers[best.shot.answer] += 1
    return tuple(taken)
