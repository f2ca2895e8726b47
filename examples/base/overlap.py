"""How much of what is judged somewhere was taught: rows that are the same, and runs of 13 words in common.

    python -m examples.base.overlap --data FOLDER --rows examples/base/rows

The judged rows are held in memory, few as they are; the taught texts pass by once.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afters.data import demo, probes
from afters.data.split import NORMALISER, normalised

SPAN = 13
"""Words of a run, as GPT-3's authors had it (Brown et al. 2020, arXiv:2005.14165, appendix C)."""

FEWEST = 4
"""Words of a text that can be the same by more than chance; a label of two words stands everywhere."""

DEMO_SEED = 7
"""Of the chats that `afters demo` writes when no other seed is given."""

ASKED = ("prompt", "options", "order", "form", "kind", "labels", "pattern", "answer")
"""Columns of our own rows that say how something is asked and what is chosen, which both sides share."""

PASSING = 5_000_000
"""Marks of taught texts that are compared at once."""

Texts = Sequence[str]
"""What one row says, field by field."""

Row = dict[str, Any]


class Overlap(NamedTuple):
    """What a set of judging rows shares with all that was taught."""

    name: str
    rows: int
    same: int
    """Rows with a field that was taught word for word."""
    runs: int
    """Rows with a run of `SPAN` words that was taught."""


def count(judged: Mapping[str, Iterable[Texts]], taught: Iterable[str]) -> list[Overlap]:
    """Compare sets of judging rows with every taught text.

    >>> count({"exam": [["It was a dark and stormy night."]]}, ["it was  a dark and stormy NIGHT."])
    [Overlap(name='exam', rows=1, same=1, runs=0)]
    """
    whole, runs = _Index(), _Index()
    sizes = []
    for rows in judged.values():
        size = 0
        for fields in rows:
            for words in map(_words, fields):
                whole.add(_whole(words))
                runs.add(_runs(words))
            whole.end_row()
            runs.end_row()
            size += 1
        sizes.append(size)
    for words in map(_words, taught):
        whole.see(_whole(words))
        runs.see(_runs(words))
    ends = np.cumsum(sizes)[:-1]
    same, shared = (np.split(index.seen(), ends) for index in (whole, runs))
    return [
        Overlap(name, size, int(told.sum()), int(also.sum()))
        for name, size, told, also in zip(judged, sizes, same, shared, strict=True)
    ]


def apart(taught: Sequence[Row], judged: Sequence[Row], *, column: str) -> list[Row]:
    """Return the teaching rows whose column shares neither all nor `SPAN` words in a row with a judging row's.

    >>> apart([{"q": "Is it?"}, {"q": "Was it?"}], [{"q": "is  IT?"}], column="q")
    [{'q': 'Was it?'}]
    """
    words = [_words(row[column]) for row in judged]
    whole, runs = set(words), {run for one in words for run in _runs(one)}
    return [row for row in taught if (own := _words(row[column])) not in whole and runs.isdisjoint(_runs(own))]


class Runs:
    """All runs of `SPAN` words in judged rows."""

    def __init__(self, rows: Iterable[Texts]) -> None:
        marks = array("q", (run for fields in rows for text in fields for run in _runs(_words(text))))
        self._known = np.unique(np.array(marks))

    def touch(self, texts: Iterable[str]) -> bool:
        """Tell whether one of the texts holds such a run."""
        marks = np.fromiter((run for text in texts for run in _runs(_words(text))), np.int64)
        if not len(marks) or not len(self._known):
            return False
        places = np.minimum(np.searchsorted(self._known, marks), len(self._known) - 1)
        return bool((self._known[places] == marks).any())


class _Index:
    """Marks of judged rows, and which of them were seen among marks of what is taught."""

    def __init__(self) -> None:
        self._marks, self._rows, self._passing = array("q"), array("q"), array("q")
        self._row = 0
        self._found: list[NDArray[np.int64]] = []

    def add(self, marks: Iterable[int]) -> None:
        """Take marks of the row that is being read."""
        before = len(self._marks)
        self._marks.extend(marks)
        self._rows.extend([self._row] * (len(self._marks) - before))

    def end_row(self) -> None:
        """Go on to the next row."""
        self._row += 1

    def see(self, marks: Iterable[int]) -> None:
        """Let marks of a taught text pass."""
        self._passing.extend(marks)
        if len(self._passing) >= PASSING:
            self._compare()

    def seen(self) -> NDArray[np.bool_]:
        """Return for each row whether one of its marks was taught."""
        self._compare()
        hit = np.isin(np.array(self._marks), np.concatenate(self._found))
        told = np.zeros(self._row, bool)
        told[np.array(self._rows, np.int64)[hit]] = True
        return told

    def _compare(self) -> None:
        self._found.append(np.intersect1d(np.array(self._marks), np.array(self._passing)))
        del self._passing[:]


def table(found: Iterable[Overlap]) -> str:
    """Return the counts as Markdown, for the card."""
    return "\n".join(
        [
            f"| judged rows | how many | with a text that was taught ({NORMALISER}) | with {SPAN} words of one |",
            "|:--|--:|--:|--:|",
            *(f"| {one.name} | {one.rows:,} | {one.same:,} | {one.runs:,} |" for one in found),
        ]
    )


JUDGED = {
    "DialogSum, test": "dialogsum/dialogsum.test.jsonl",
    "DialogSum, teaching": "dialogsum/dialogsum.train.jsonl",
    "SAMSum, test": "samsum/test.jsonl",
    "Banking77, test": "banking77/test.jsonl",
    "CommonsenseQA, dev": "commonsenseqa/dev_rand_split.jsonl",
    "GSM8K, test": "gsm8k/test.jsonl",
    "SST-2, dev": "glue/sst2_dev.jsonl",
    "AG News, test": "text_classification_olora/agnews_test.jsonl.gz",
    "COPA, validation": "superglue/COPA_val.jsonl",
    "MNLI, sample": "glue/mnli_*.jsonl*",
    "Natural Instructions, held-out tasks": "natural_instructions/held_out",
    "MMLU, test": "mmlu/test/*.csv",
    "BIG-bench Hard": "bbh/*.json",
    "BIG-bench": "bigbench_task_json/*.json*",
    "llm_foundry_eval": "llm_foundry_eval/*/*.jsonl*",
    "TruthfulQA": "truthfulqa/TruthfulQA.csv",
    "HellaSwag, sample": "hellaswag_sample/*.jsonl",
    "XQuAD, English": "squad_style_xquad_en/xquad.en.json",
    "WikiText-2, test": "plain_text_misc/wikitext2_wiki.test.raw",
}
"""What examples, tests and probes judge with, by files in the folder of development data."""


def judged_rows(folder: Path) -> dict[str, Iterable[Texts]]:
    """Return the rows of `JUDGED` that lie in the folder, the chats that `afters demo` judges with, and the probes."""
    chats = demo.rows("test", 200, seed=DEMO_SEED)
    found: dict[str, Iterable[Texts]] = {"afters demo, support chats": [[*texts_of(chat)] for chat in chats]}
    for probe in probes.probes():
        found[f"afters, {probe.name}"] = _own(Path(str(probe.test)))
    for name, pattern in JUDGED.items():
        files = _held_out(folder) if pattern.endswith("held_out") else sorted(folder.glob(pattern))
        if files:
            found[name] = (fields for file in files for fields in rows_of(file))
    return found


def rows_of(file: Path) -> Iterator[list[str]]:
    """Yield all texts of each row of a file: JSON lines, a list in JSON, CSV, or a line of plain text."""
    data = file.read_bytes()
    text = (gzip.decompress(data) if file.suffix == ".gz" else data).decode("utf-8", errors="replace")
    kind = file.name.removesuffix(".gz").rsplit(".", 1)[-1]
    if kind == "jsonl":
        # Not splitlines(): a text may hold other line separators of Unicode.
        yield from (list(texts_of(json.loads(line))) for line in text.split("\n") if line.strip())
    elif kind == "json":
        yield from (list(texts_of(row)) for row in _rows_in(json.loads(text)))
    elif kind == "csv":
        yield from csv.reader(io.StringIO(text))
    else:
        yield from ([line] for line in text.split("\n") if line.strip())


def _held_out(folder: Path) -> list[Path]:
    listed = folder / "natural_instructions/splits/test_tasks.txt"
    names = listed.read_text().split() if listed.is_file() else []
    files = (folder / f"natural_instructions/tasks/{name}.json" for name in names)
    return [file for file in files if file.is_file()]


def _rows_in(told: Any) -> Iterable[Any]:
    """Return the rows of a JSON file: the longest list in it."""
    if isinstance(told, list):
        return told
    lists = [inner for inner in told.values() if isinstance(inner, list)]
    return max(lists, key=len, default=[told])


def texts_of(value: Any) -> Iterator[str]:
    """Yield all texts in nested values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_of(inner)


def _words(text: str) -> tuple[str, ...]:
    return tuple(normalised(text).split())


def _whole(words: tuple[str, ...]) -> list[int]:
    return [hash(words)] if len(words) >= FEWEST else []


def _runs(words: tuple[str, ...]) -> Iterator[int]:
    return (hash(words[place : place + SPAN]) for place in range(len(words) - SPAN + 1))


def taught_texts(rows: Path) -> Iterator[str]:
    """Yield every text of every teaching row that `write.py` wrote."""
    for file in sorted({*rows.glob("*.jsonl")} - {*rows.glob("*.test.jsonl")}):
        for fields in rows_of(file):
            yield from fields


def own_judged_rows(rows: Path) -> dict[str, Iterable[Texts]]:
    """Return the judging rows that `write.py` wrote."""
    files = sorted(rows.glob("*.test.jsonl"))
    return {f"afters-tiny: {file.name.removesuffix('.test.jsonl')}": _own(file) for file in files}


def _own(file: Path) -> Iterator[list[str]]:
    for line in file.read_text(encoding="utf-8").split("\n"):
        if line:
            yield [*texts_of({name: value for name, value in json.loads(line).items() if name not in ASKED})]


def main() -> None:
    """Print the table for the card."""
    parser = argparse.ArgumentParser(description="Count what judged rows share with what afters-tiny was taught.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the development data")
    parser.add_argument("--rows", type=Path, required=True, help="folder that examples.base.write wrote")
    arguments = parser.parse_args()
    judged = {**own_judged_rows(arguments.rows), **judged_rows(arguments.data)}
    print(table(count(judged, taught_texts(arguments.rows))))


if __name__ == "__main__":
    main()
