"""The last of four studies, on a GPU: rows become token ids where there is none, and are taught where there is one.

    python -m examples.base.longer prepare --out runs/base/longer     # minutes, on any machine
    python -m examples.base.longer teach --out runs/base/longer       # minutes, on a GPU

`longer.toml` says what is taught and how. A GPU would wait longer for rows to be read, checked and encoded than all its
steps take, so the stream of the mixture is written to one file first, and `afters.train` takes it from there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from afters.config import read_study
from afters.model import files
from afters.model.load import load, prompter_of
from afters.model.network import Pair
from afters.study.fitting import encode
from afters.study.mixing import lessons_of
from afters.study.reading import read_tasks
from afters.train.lessons import Lessons, Pairs, Places
from afters.train.loop import train
from afters.train.loss import mean_loss
from examples.base import tokenizer

STUDY = Path(__file__).with_name("longer.toml")

STREAM = "stream.npz"

TOGETHER = 4_096
"""Rows of the stream that are drawn at once."""

Known = dict[tuple[tuple[int, ...], tuple[int, ...]], int]
"""The number of each prompt with its answer."""


class Prepared:
    """The Lessons of a file: each row that differs from the others once, and where in a pass it stands."""

    def __init__(
        self, ids: NDArray[np.uint16], ends: NDArray[np.int64], places: NDArray[np.int64], tasks: tuple[str, ...]
    ) -> None:
        """Take prompts and answers in turn, one behind the other; where each ends; and (places, 2): row and task."""
        self.tasks = tasks
        self._ids, self._ends, self._places = ids, ends, places

    @property
    def rows(self) -> int:
        """How many rows a pass has."""
        return len(self._places)

    def lengths(self, places: Places) -> NDArray[np.int64]:
        """Return how many tokens prompt and answer have at each place, (places, 2)."""
        return np.diff(self._cuts(places), axis=1)

    def pairs(self, places: Places) -> list[Pair]:
        """Return the rows at these places, (places,)."""
        tasks = self._places[places % self.rows, 1].tolist()
        return [
            Pair(self._ids[first:middle].tolist(), self._ids[middle:last].tolist(), task)
            for (first, middle, last), task in zip(self._cuts(places).tolist(), tasks, strict=True)
        ]

    def _cuts(self, places: Places) -> NDArray[np.int64]:
        """Return where prompt and answer begin and end, (places, 3)."""
        rows = self._places[places % self.rows, 0]
        cuts: NDArray[np.int64] = self._ends[2 * rows[:, None] + np.arange(3)]
        return cuts


def prepare(out: Path, *, study_file: Path = STUDY) -> None:
    """Write the stream of the study, and the rows that validate, into `out`."""
    study = read_study(study_file)
    base = files.find(study.model.base, relative_to=study_file.parent)
    prompter = prompter_of(
        base, max_prompt_tokens=study.model.max_prompt_tokens, max_new_tokens=study.judge.max_new_tokens
    )
    tasks = read_tasks(study, folder=study_file.parent, strict=False)
    encode(tasks, prompter, study)
    lessons = lessons_of(tasks, study.mixture, prompter=prompter, seed=study.seed)
    validating = [
        Pair(prompter.prompt(example).ids, prompter.taught(example), place)
        for place, task in enumerate(tasks)
        for example in task.validation
    ]
    known: Known = {}
    taught = _places((pair for pairs in _drawn(lessons) for pair in pairs), known)
    judged = _places(validating, known)
    parts = [np.array(ids, np.uint16) for row in known for ids in row]
    out.mkdir(parents=True, exist_ok=True)
    np.savez(
        out / STREAM,
        ids=np.concatenate(parts),
        ends=np.cumsum([0, *map(len, parts)]),
        taught=taught,
        judged=judged,
        tasks=np.array(lessons.tasks),
    )
    print(f"{len(taught):,} rows to teach, {len(known):,} of them different, {sum(map(len, parts)):,} tokens")


def _drawn(lessons: Lessons) -> Iterator[list[Pair]]:
    for first in range(0, lessons.rows, TOGETHER):
        yield lessons.pairs(np.arange(first, min(first + TOGETHER, lessons.rows)))


def _places(pairs: Iterable[Pair], known: Known) -> NDArray[np.int64]:
    """Return which row stands at each place, by its number in `known`, and of which task it is."""
    return np.array(
        [(known.setdefault((tuple(pair.prompt), tuple(pair.answer)), len(known)), pair.task) for pair in pairs]
    )


def teach(out: Path, *, study_file: Path = STUDY) -> None:
    """Teach the base of the study what `prepare` has written, and leave the model in `out`."""
    study = read_study(study_file)
    base = files.find(study.model.base, relative_to=study_file.parent)
    with np.load(out / STREAM) as told:
        ids, ends, tasks = told["ids"], told["ends"], tuple(told["tasks"].tolist())
        lessons, judged = (Prepared(ids, ends, told[side], tasks) for side in ("taught", "judged"))
    loaded = load(base, for_training=True, max_prompt_tokens=study.model.max_prompt_tokens)
    exam, budget = Pairs(judged.pairs(np.arange(judged.rows))), study.train.token_budget
    train(
        loaded.network,
        lessons,
        study.train,
        seed=study.seed,
        folder=out / "train",
        precision=loaded.precision,
        validate=lambda step: mean_loss(loaded.network, exam, tokens=budget, precision=loaded.precision),
        higher_is_better=False,
        on_step=lambda step, steps, loss: print(f"{step:,} of {steps:,}: {loss:.3f}") if step % 100 == 0 else None,
        tell=print,
    )
    module: Any = loaded.network.module
    module.save_pretrained(out / "model")
    tokenizer.save(Tokenizer.from_file(str(base / "tokenizer.json")), out / "model")


def main() -> None:
    """Prepare or teach, as the command line says."""
    parser = argparse.ArgumentParser(description="Teach afters-tiny longer, on a GPU.")
    parser.add_argument("what", choices=["prepare", "teach"])
    parser.add_argument("--out", type=Path, default=Path("runs/base/longer"), help="folder for stream, log and model")
    arguments = parser.parse_args()
    {"prepare": prepare, "teach": teach}[arguments.what](arguments.out)


if __name__ == "__main__":
    main()
