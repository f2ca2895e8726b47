"""Ask a model what afters-tiny was never taught: SST-2, AG News, MNLI, and what Natural Instructions holds out.

    python -m examples.base.shown MODEL --data FOLDER --out runs/base/shown

No bar is set for these; each score stands beside what guessing gives, or the first sentence of the input.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from afters.config import read_study, study_of
from afters.sides.scoring import metric_of
from afters.study.judging import Judged, judge
from examples.base.scores import copying
from examples.natural_instructions import studies

Row = dict[str, Any]

ROWS = 500
"""Of each data set at most, by chance."""

TOPICS = ("World", "Sports", "Business", "Science or Technology")
"""As this copy of AG News calls what the release numbers."""

CHANCE: Mapping[str, float] = {"sst2": 1 / 2, "ag_news": 1 / 4, "mnli": 1 / 3}


def rows(data: Path) -> Mapping[str, list[Row]]:
    """Return the judging rows, laid out as the library's templates read them."""
    topics = _lines(data / "text_classification_olora/agnews_test.jsonl.gz")
    pairs = _lines(data / "glue/mnli_sample_dev.jsonl.gz")
    return {
        "sst2": list(_lines(data / "glue/sst2_dev.jsonl")),
        "ag_news": [{"text": row["sentence"], "label": TOPICS.index(row["label"])} for row in topics],
        "mnli": [{"premise": row["sentence1"], "hypothesis": row["sentence2"], "label": row["label"]} for row in pairs],
    }


def ask(model: str, data: Path, out: Path) -> Judged:
    """Ask every row that is drawn, by the first wording of its template; what stands in `out` is not asked again."""
    tasks = [{"name": name, "template": name, "test": f"table:{name}", "test_limit": ROWS} for name in CHANCE]
    study = study_of({"name": "shown", "seed": 7, "model": {"base": model}, "task": tasks})
    return judge(model, study, out=out, tables=rows(data))


def ask_held_out(model: str, data: Path, out: Path) -> Judged:
    """Ask the tasks that Natural Instructions holds out, by their definitions alone."""
    written = {path.name: path for path, _, _ in studies.write(data / "natural_instructions", out / "studies")}
    study = written["held-out.toml"]
    return judge(model, read_study(study), out=out / "held-out", folder=study.parent)


def held_out_told(judged: Judged) -> str:
    """Return the mean over the tasks, beside what the first sentence of each input would have scored."""
    scores, first = list[float](), list[float]()
    for result in judged.results:
        name = judged.primary[result.task]
        scores.append(result.score(name).value)
        first.append(copying(result, metric_of(name, [result], columns=(), lower=None)).score(name).value)
    rows = sum(len(result.cases) for result in judged.results)
    return (
        f"Natural Instructions' own held-out tasks that were at hand ({len(scores)} in English, {rows:,} rows, the "
        f"definition alone): {fmean(scores):.3f} in the mean over the tasks, each by its own score; the first sentence "
        f"of the input has {fmean(first):.3f}."
    )


def table(judged: Judged) -> str:
    """Return the scores as Markdown, each with its interval and beside chance."""
    lines = ["| never taught | rows | accuracy | chance |", "|:--|--:|--:|--:|"]
    for result in judged.results:
        score = result.score(judged.primary[result.task])
        between = f" [{score.low:.3f}, {score.high:.3f}]" if score.low is not None else ""
        lines.append(f"| {result.task} | {score.judged:,} | {score.value:.3f}{between} | {CHANCE[result.task]:.3f} |")
    return "\n".join(lines)


def _lines(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="afters-tiny, or a folder")
    parser.add_argument("--data", type=Path, required=True, help="folder with the files")
    parser.add_argument("--out", type=Path, required=True, help="where the answers go")
    given = parser.parse_args()
    print(table(ask(given.model, given.data, given.out / "choices")))
    print("\n" + held_out_told(ask_held_out(given.model, given.data, given.out)))
