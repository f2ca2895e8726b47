"""Write all rows that afters-tiny is taught and judged with, as JSON lines that `afters run` reads.

    python -m examples.base.write --data FOLDER

Each task has NAME.train.jsonl and NAME.test.jsonl; a data set without judging rows of its own has NAME.jsonl, which a
study splits by content. A teaching row that shares 13 words in a row with what examples and probes judge is left out.
The same seed gives the same files. `--share 0.01` writes a hundredth of the generated rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from examples.base import grammar, overlap
from examples.base.generated.tasks import TASKS, row
from examples.base.readers import READERS

Row = Mapping[str, Any]

OUT = Path(__file__).with_name("rows")

SEED = 7

JUDGED_SEED = 1_000_003
"""Not the teaching seed; what judges has also words and sentences of its own."""

COUNTS = {
    **{"summary": 45_000, "title": 15_000, "question": 22_000, "headline": 12_000, "form": 16_000, "entities": 14_000},
    **{"rewriting": 12_000, "sentiment": 6_000, "topic": 6_000, "sorting": 6_000, "arithmetic": 10_000},
}
"""How many rows of each generated task are taught."""

JUDGED = 500
"""Rows of each generated task that judge."""

COPYING, SHORT = 60_000, 32_000
"""Rows of the older grammar, which teach to find and to copy: of all lengths, and short ones to begin with."""

SHORT_CHARACTERS = 240
"""Of prompt and of answer: about eighty pieces."""

LONGEST_CHARACTERS = 1_500
"""Of a judged prompt of the older grammar: no model is asked what it cannot read."""


def main() -> None:
    """Write every task's files and say how many rows they have."""
    arguments = _arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    judged = overlap.Runs(fields for rows in overlap.judged_rows(arguments.data).values() for fields in rows)
    for name, rows in files(arguments.data, share=arguments.share):
        write(arguments.out / f"{name}.jsonl", rows, judged=None if name.endswith(".test") else judged)


def files(data: Path, *, share: float = 1.0) -> Iterator[tuple[str, Iterable[Row]]]:
    """Yield each file's name and its rows."""
    for name, read in READERS.items():
        taught, judged = read(data)
        yield (f"{name}.train" if judged else name), taught
        if judged:
            yield f"{name}.test", judged
        if name == "prose":
            passages = [[str(found["text"]) for found in side] for side in (taught, judged)]
            yield from _copying(*passages, share=share).items()
    for name in TASKS:
        yield from generated(name, share=share).items()


def generated(name: str, *, share: float = 1.0) -> dict[str, Iterable[Row]]:
    """Return the rows of a generated task, by the file that they belong in."""
    count = max(1, round(share * COUNTS[name]))
    return {
        f"{name}.train": (row(name, "taught", index, seed=SEED) for index in range(count)),
        f"{name}.test": (row(name, "judged", index, seed=JUDGED_SEED) for index in range(JUDGED)),
    }


def _copying(taught: Sequence[str], judged: Sequence[str], *, share: float) -> dict[str, Iterable[Row]]:
    def rows(count: int, seed: int, prose: Sequence[str], *, longest: int) -> Iterable[Row]:
        every = (grammar.row(seed, index, prose=prose) for index in itertools.count())
        short = (found for found in every if max(len(found.prompt), len(found.answer)) <= longest)
        for found in itertools.islice(short, max(1, count)):
            yield {"prompt": found.prompt, "text": found.text, "answer": found.answer}

    return {
        "short.train": rows(round(share * SHORT), SEED + 1, taught, longest=SHORT_CHARACTERS),
        "short.test": rows(JUDGED, JUDGED_SEED + 1, judged, longest=SHORT_CHARACTERS),
        "copying.train": rows(round(share * COPYING), SEED, taught, longest=LONGEST_CHARACTERS),
        "copying.test": rows(JUDGED, JUDGED_SEED, judged, longest=LONGEST_CHARACTERS),
    }


def write(path: Path, rows: Iterable[Row], *, judged: overlap.Runs | None) -> None:
    """Write rows as JSON lines; one that shares a run of words with what is `judged` somewhere is left out."""
    lines, left_out = [], 0
    for found in rows:
        if judged and judged.touch(overlap.texts_of(found)):
            left_out += 1
        else:
            lines.append(json.dumps(found, ensure_ascii=False))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(lines):,} rows, {left_out:,} left out", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write the rows that afters-tiny is taught and judged with.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the files of sources.toml")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the rows; may be deleted")
    parser.add_argument("--share", type=float, default=1.0, help="share of the generated rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
