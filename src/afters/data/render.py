"""One row becomes one Example, or says why it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from afters import seeds
from afters.data.columns import as_text
from afters.data.split import Side, content_of, digest
from afters.data.template import Asked, Template, Wording, fault_of
from afters.errors import DataError
from afters.records import Example, Shot


@dataclass(frozen=True)
class Renderer:
    """Makes the Examples of one side of a task."""

    task: str
    template: Template
    side: Side
    seed: int
    judge_wording: str | None = None
    """The id of the wording that judging asks; the template's first when None."""
    references: tuple[str, ...] = ()
    """The reference columns of these rows; none: the answer is the reference."""
    inverted: float | None = None
    """The share of taught contents that inverted wordings ask, where there are some; None: that of the wordings."""

    def example(self, row: Mapping[str, Any], *, id: str, source: str, shots: tuple[Shot, ...] = ()) -> Example:
        """Return the row's Example.

        Raises:
            InputError: the row is not usable; `what` is a phrase that many rows share, `where` the column.
        """
        content = content_of(row, self._asked)
        key = digest(content)
        wording = self.wording(key)
        asked = self.template.ask(wording, row, seed=self._chance(wording, id))
        if not content or not asked.prompt:
            raise DataError("empty prompt", where=self._asked[0] if self._asked else None, expected="something to ask")
        references = self._references(row, wording, asked)
        turns = self._turns(row)
        return Example(
            id=id,
            task=self.task,
            source=source,
            content=content,
            wording=wording.id,
            prompt=asked.prompt,
            references=references,
            system=asked.system,
            shots=(*shots, *turns),
            turns=len(turns),
            cuttable=self._cuttable(row, asked.prompt),
            choices=_choices(asked.choices, references[0]),
            group=id,
            cluster=key,
            objective=self.template.objective,
            draw=self._draw(id),
        )

    def shot(self, row: Mapping[str, Any], *, wording: str | None = None) -> Shot:
        """Return the row as a solved example, asked in the wording of that id, or as judging asks.

        Raises:
            InputError: the row is not usable.
        """
        if self._turns(row):
            raise DataError("an answer to more than its question", expected="a conversation of one question")
        asks = self.template.wording(self.judge_wording) if wording is None else self.template.named(wording)
        asked = self.template.ask(asks, row, seed=self._chance(asks, self.key(row)))
        return Shot(asked.prompt, self._references(row, asks, asked)[0])

    def key(self, row: Mapping[str, Any]) -> str:
        """Return the digest of the row's content."""
        return digest(content_of(row, self._asked))

    def wording(self, key: str) -> Wording:
        """Return the wording that asks the rows of a content: drawn when teaching, the declared one when judging."""
        if self.side != "train":
            return self.template.wording(self.judge_wording)
        wordings = self.template.wordings
        if self.inverted is not None and len({wording.inverted for wording in wordings}) == 2:
            other_way = seeds.fraction(self.seed, "inverted", self.task, key) < self.inverted
            wordings = tuple(wording for wording in wordings if wording.inverted == other_way)
        return wordings[seeds.number(self.seed, "wording", self.task, key) % len(wordings)]

    @cached_property
    def _asked(self) -> tuple[str, ...]:
        return self.template.asked_columns()

    @cached_property
    def _answer_columns(self) -> dict[str, tuple[str, ...]]:
        return {wording.id: self.template.answer_columns(wording) for wording in self.template.wordings}

    def _references(self, row: Mapping[str, Any], wording: Wording, asked: Asked) -> tuple[str, ...]:
        if asked.answer is not None:
            return (asked.answer,)
        columns = () if wording.answers_itself else self.references
        found = self.template.references_of(row) if columns else ()
        answer_columns = self._answer_columns[wording.id]
        if not found and set(answer_columns) <= set(row):
            found = tuple(filter(None, [self.template.answer_of(row, wording, choices=asked.choices)]))
        if not found:
            column = next(iter(columns or answer_columns), None)
            raise DataError("empty answer", where=column, expected="an answer that a person gave", received="nothing")
        return found

    def _turns(self, row: Mapping[str, Any]) -> tuple[Shot, ...]:
        """Return what was said before the question."""
        said = row[self.template.turns] if self.template.turns else None
        return tuple(Shot(pair["question"], pair["answer"]) for pair in said or ())

    def _chance(self, wording: Wording, id: str) -> int:
        """Return what a wording that draws by chance draws from: for judged rows the same under every seed."""
        if wording.dialect == "afters":
            return 0
        return seeds.number(self.seed if self.side == "train" else 0, "template", self.task, id)

    def _draw(self, id: str) -> int:
        """Return what decides which part of a text is hidden: for judged rows the same under every seed."""
        if self.template.objective == "answer":
            return 0
        return seeds.number(self.seed if self.side == "train" else 0, "objective", self.task, id)

    def _cuttable(self, row: Mapping[str, Any], prompt: str) -> tuple[int, int] | None:
        """Return where the cuttable column stands in the prompt; None where the template has changed its text."""
        shown = as_text(row[self.template.cut]).strip() if self.template.cut else ""
        start = prompt.find(shown) if shown else -1
        return (start, start + len(shown)) if start >= 0 else None


def _choices(choices: tuple[str, ...], answer: str) -> tuple[str, ...]:
    if choices and answer not in choices:
        expected = "one of " + ", ".join(f"'{choice}'" for choice in choices[:10])
        raise DataError("the answer is none of the choices", expected=expected, received=repr(answer[:80]))
    if fault := fault_of(choices):
        raise DataError("choices that are empty or the same", expected="different answers", received=fault)
    return choices
