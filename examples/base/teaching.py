"""What afters-tiny is taught: generated tasks, and prose with holes, as token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from afters.model.network import Pair
from afters.model.prompt import Prompter
from afters.records import Example
from afters.seeds import fraction, stream
from examples.base import grammar, prose
from examples.base.grammar import Row
from examples.base.tokenizer import SENTINELS

SEED = 7

HOLES = 0.01
"""The share of rows that are prose with holes (T5's objective)."""


class Stage(NamedTuple):
    """A part of the teaching: rows up to a length."""

    name: str
    steps: int
    batch_rows: int
    longest: int
    """Rows that read or write more pieces than this are left out: the few longest would cost the most time."""
    schedule: Literal["constant", "linear"]
    """How the learning rate falls."""


STAGES = (Stage("short", 500, 64, 80, "constant"), Stage("all", 2_000, 32, 300, "linear"))
"""Finding a name among forty pieces is learnt far sooner than among two hundred, and then carries over."""

PASSAGE = 400
"""Characters of a passage of prose, at least."""

TOKENIZER_ROWS = 6_000
"""Generated rows that the tokenizer learns its pieces from, beside every fourth passage of prose."""


class Prose(NamedTuple):
    """Passages of all taught texts, and of the one that is held out."""

    taught: tuple[str, ...]
    held_out: tuple[str, ...]


def read_prose(folder: Path) -> Prose:
    """Read the texts under `folder` and cut them into passages."""
    taught = [text for text in prose.TEXTS if text.taught]
    held_out = [text for text in prose.TEXTS if text.withheld == prose.EXAM]
    return Prose(_passages(taught, folder), _passages(held_out, folder))


def tokenizer_texts(taught: Sequence[str]) -> Iterator[str]:
    """Yield what the tokenizer learns from."""
    yield from taught[::4]
    for index in range(TOKENIZER_ROWS):
        row = grammar.row(SEED, index, prose=taught)
        yield f"{row.prompt}\n{row.answer}"


def pairs(stage: Stage, *, seed: int, taught: Sequence[str], prompter: Prompter) -> Iterator[Pair]:
    """Yield a stage's teaching rows; none of them comes twice, and none in the stage of another seed."""
    count, index = stage.steps * stage.batch_rows, 0
    while count:
        pair = _pair(index, seed=seed, taught=taught, prompter=prompter)
        index += 1
        if max(len(pair.prompt), len(pair.answer)) <= stage.longest:
            count -= 1
            yield pair


def encoded(row: Row, *, prompter: Prompter) -> Pair:
    """Return a row as the model reads and writes it."""
    return Pair(prompter.prompt(example(row, name="")).ids, prompter.answer(row.answer))


def example(row: Row, *, name: str) -> Example:
    """Return a generated row as the house's own record."""
    return Example(
        id=name, task=row.task, source=name, content=row.prompt, wording="", prompt=row.prompt, references=(row.answer,)
    )


def with_holes(passage: str, *, index: int, seed: int, prompter: Prompter) -> Pair:
    """Return a passage with holes and what stood in them."""
    end, *holes = prompter.tokenizer.convert_tokens_to_ids([prompter.tokenizer.eos_token, *SENTINELS])
    ids = [piece for piece in prompter.answer(passage) if piece != end]
    seen, hidden = prose.corrupt(ids, holes=holes, chance=stream(seed, "holes", index))
    return Pair([*seen, end], [*hidden, end])


def _passages(texts: Sequence[prose.Text], folder: Path) -> tuple[str, ...]:
    found = (prose.passages(prose.read(text, folder), characters=PASSAGE) for text in texts)
    return tuple(passage for passages in found for passage in passages)


def _pair(index: int, *, seed: int, taught: Sequence[str], prompter: Prompter) -> Pair:
    if fraction(seed, "kind", index) >= HOLES:
        return encoded(grammar.row(seed, index, prose=taught), prompter=prompter)
    passage = taught[int(stream(seed, "passage", index).integers(len(taught)))]
    return with_holes(passage, index=index, seed=seed, prompter=prompter)
