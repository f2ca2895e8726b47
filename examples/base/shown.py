"""Ask a model what afters-tiny was never taught: sentiment (SST-2), topics of news (AG News), inference (MNLI).

    python -m examples.base.shown MODEL --data FOLDER --out runs/base/shown

No bar is set for these; each score stands beside what guessing gives. The tasks that Natural Instructions holds out are
asked by examples/natural_instructions.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from afters.config import study_of
from afters.study.judging import Judged, judge

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
    print(table(ask(given.model, given.data, given.out)))
