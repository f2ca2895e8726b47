"""Rows into token ids: 100,000 rows of twenty tasks, and beside promptsource's `apply` with a tokenizer call for each.

    python perf/prompts.py [--rounds 5] [--quick] [--json]
    python perf/prompts.py --million

Needs the development data (AFTERS_DATA, or shared/data beside the checkout). promptsource wants an older Python and
older libraries than it needs: `pip install --no-deps --ignore-requires-python promptsource==0.2.3 "setuptools<81"`.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import Process
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from shapes import data

from afters.data.library import library
from afters.model import files
from afters.study.fitting import encode
from afters.study.mixing import lessons_of
from afters.study.reading import read_tasks
from afters.study.settings import Study
from afters.study.start import prompter_for
from afters.study.work import TaskAtHand
from afters.train.lessons import Lessons

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from real_rows import SOURCES, Row

BAR_SECONDS, BAR_MB, BAR_TIMES = 60, 1_536, 5
ROWS = 5_000
"""Of each task."""

LONGEST = 4_096
"""Tokens of a prompt: promptsource cuts nothing."""

PEERS = {
    **{"ag_news": "ag_news", "amazon_reviews/rating": "amazon_us_reviews/Wireless_v1_00", "banking77": "banking77"},
    **{"boolq": "super_glue/boolq", "cola": "glue/cola", "commonsense_qa": "commonsense_qa"},
    **{"copa": "super_glue/copa", "hellaswag": "hellaswag", "imdb": "imdb", "mnli": "glue/mnli", "mrpc": "glue/mrpc"},
    **{"rte": "glue/rte", "samsum": "samsum", "squad": "squad", "sst2": "glue/sst2", "stsb": "glue/stsb"},
    **{"xsum": "xsum"},
}
"""The tasks that promptsource has templates for, as it calls them."""

OTHERS = ("amazon_reviews/review", "dialogsum", "toxicity")
"""Which make twenty with them."""


def write_rows(name: str, path: Path, *, rows: int) -> None:
    """Write the rows of a template's data set: all that are at hand, and again with a number behind their text."""
    _, file, read, made, _ = next(source for source in SOURCES if source[0] == name)
    there = [made(row) for row in read(data() / file)]
    shown = library()[name].asked_columns()
    pq.write_table(pa.Table.from_pylist(list(_again(there, shown, rows))), path)


def _again(there: list[Row], shown: tuple[str, ...], rows: int) -> Iterator[Row]:
    for number in range(rows):
        lap, row = divmod(number, len(there))
        column = next(column for column in shown if isinstance(there[row].get(column), str))
        yield {**there[row], column: f"{there[row][column]} {lap + 1}"} if lap else there[row]


def study_of(names: tuple[str, ...]) -> Study:
    tasks = [{"name": name, "template": name, "source": f"{name.replace('/', '-')}.parquet"} for name in names]
    return Study.model_validate({"name": "prompts", "task": tasks, "model": {"max_prompt_tokens": LONGEST}})


class Ours:
    """Everything that a run does with rows before it loads a model: read, split, check, render, encode, measure."""

    def __init__(self, names: tuple[str, ...], folder: Path) -> None:
        self._folder, self._study = folder, study_of(names)
        self._prompter = prompter_for(files.find("afters-tiny"), self._study)

    def read(self) -> list[TaskAtHand]:
        return read_tasks(self._study, folder=self._folder, strict=False)

    def encode(self, tasks: list[TaskAtHand]) -> int:
        """Return how many rows became token ids."""
        encode(tasks, self._prompter, self._study)
        return sum(len(rows.prompts) for task in tasks for rows in task.measured.values())


class Promptsource:
    """A template by chance for each row, and a tokenizer call each for prompt and answer."""

    def __init__(self, names: tuple[str, ...], folder: Path) -> None:
        warnings.simplefilter("ignore")
        from promptsource.templates import DatasetTemplates

        self._tokenizer = prompter_for(files.find("afters-tiny"), study_of(names)).tokenizer
        self._tasks = []
        for name in names:
            found = DatasetTemplates(*PEERS[name].split("/"))
            rows = pq.read_table(folder / f"{name.replace('/', '-')}.parquet").to_pylist()
            self._tasks.append(([found[one] for one in found.all_template_names], rows))

    def encode(self) -> int:
        """Return how many rows became token ids."""
        chance, done = random.Random(0), 0
        for templates, rows in self._tasks:
            for row in rows:
                ids = [self._tokenizer(part).input_ids for part in chance.choice(templates).apply(row, truncate=False)]
                done += bool(ids)
        return done


def timed(work: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    made = work(*given)
    return time.perf_counter() - began, made


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--json", action="store_true")
    options.add_argument("--quick", action="store_true", help="a tenth of the rows, to see that it runs")
    options.add_argument("--million", action="store_true", help="how much memory a million rows of fifty tasks take")
    options.add_argument("--rounds", type=int, default=5, help="of which the medians are told")
    asked = options.parse_args()
    rows = ROWS // 10 if asked.quick else ROWS
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if asked.million:
            million(folder, rows=rows * 4)
            return
        for name in (*PEERS, *OTHERS):
            write_rows(name, folder / f"{name.replace('/', '-')}.parquet", rows=rows)
        told["whole"] = whole((*PEERS, *OTHERS), folder)
        told["beside"] = beside(tuple(PEERS), folder, rounds=asked.rounds)
    if asked.json:
        print(json.dumps(told))


def whole(names: tuple[str, ...], folder: Path) -> dict[str, float]:
    """Time all that a run does with its rows before it loads a model."""
    ours = Ours(names, folder)
    seconds, done = timed(lambda: ours.encode(ours.read()))
    peak = _peak_mb()
    print(f"{done:,} rows of {len(names)} tasks: {seconds:.1f} s (bar {BAR_SECONDS}), {peak:,.0f} MB (bar {BAR_MB:,})")
    return {"tasks": len(names), "rows": done, "seconds": seconds, "peak_mb": peak}


def million(folder: Path, *, rows: int) -> None:
    """Read, encode and mix fifty tasks of so many rows each, and draw some of the mixture."""
    kinds = (*PEERS, *OTHERS)
    tasks = []
    for number in range(50):
        name = kinds[number % len(kinds)]
        writing = Process(target=write_rows, args=(name, folder / f"{number}.parquet"), kwargs={"rows": rows})
        writing.start()  # in a process of its own, whose memory is not counted
        writing.join()
        tasks.append({"name": f"{name} {number}", "template": name, "source": f"{number}.parquet"})
    mixture = {"temperature": 2, "few_shot": 0.3}
    study = Study.model_validate({"name": "million", "task": tasks, "mixture": mixture})
    seconds, mixed = timed(_mixed, study, folder)
    drawing, _ = timed(lambda: mixed.pairs(np.arange(0, mixed.rows, mixed.rows // 10_000)))
    print(f"{mixed.rows:,} rows to teach in {seconds:.0f} s, 10,000 drawn in {drawing:.1f} s, {_peak_mb():,.0f} MB")


def _mixed(study: Study, folder: Path) -> Lessons:
    tasks = read_tasks(study, folder=folder, strict=False)
    prompter = prompter_for(files.find("afters-tiny"), study)
    encode(tasks, prompter, study)
    return lessons_of(tasks, study.mixture, prompter=prompter, seed=study.seed)


def _peak_mb() -> float:
    """Return the most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def beside(names: tuple[str, ...], folder: Path, *, rounds: int) -> dict[str, float]:
    """Time rendering and encoding beside promptsource, turn and turn about."""
    ours, theirs = Ours(names, folder), Promptsource(names, folder)
    times, checked, speeds = list[float](), list[float](), list[float]()
    for number in range(1, rounds + 1):
        reading, tasks = timed(ours.read)
        encoding, done = timed(ours.encode, tasks)
        peer, asked = timed(theirs.encode)
        speeds.append(done / encoding)
        times.append(speeds[-1] * peer / asked)
        checked.append(done / (reading + encoding) * peer / asked)
        print(
            f"round {number}: {speeds[-1]:,.0f} rows/s, {asked / peer:,.0f} theirs; {reading:.1f} s to read and check"
        )
    told = {"times": median(times), "with_reading": median(checked), "rows_a_second": median(speeds)}
    print(f"rendered and tokenized: {told['times']:.2f} times promptsource (bar {BAR_TIMES})")
    print(f"read, split and checked as well: {told['with_reading']:.2f} times promptsource")
    return told


if __name__ == "__main__":
    main()
