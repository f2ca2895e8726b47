"""Write the probes that ship with Afters: what a study watches over where it names nothing that must not be lost.

    python -m examples.base.probes --data FOLDER

Each has 600 rows of the judging side of what afters-tiny was taught, and as many of the teaching side, which can be
rehearsed. Generated rows have a seed that neither teaches nor judges elsewhere; the others are drawn from the data
sets' own sides.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import tomli_w

from afters.data.split import normalised
from afters.seeds import stream
from examples.base.generated.tasks import TASKS, row
from examples.base.generated.words import Side
from examples.base.readers import READERS
from examples.base.write import Row, write

OUT = Path("src/afters/data/probes")
TEMPLATES = Path(__file__).with_name("templates")

ROWS, PASSAGES = 600, 200
SEED = 2_000_003

LONGEST_ANSWER = 60
"""Letters; a run asks no probe for more than some thirty tokens."""

PROBES: Final[Mapping[str, str]] = {
    **{name: f"{name}.toml" for name in ("entities", "rewriting", "topic", "sentiment", "intent")},
    "toxicity": "",
    "prose": "halves.toml",
}
"""What is watched over, and the template that asks it by its first wording; none for one of the library's."""

SAID = ("answer", "choices", "cut", "metrics", "primary")
"""What a probe says as its template does."""


def rows_of(name: str, side: Side, data: Path) -> list[Row]:
    """Return a probe's rows of a side, none of which says what another says."""
    drawn: list[Row]
    if name in TASKS:
        drawn = [dict(row(name, side, place, seed=SEED)) for place in range(2 * ROWS)]
    else:
        taught, judged = READERS[name](data)
        rows = judged if side == "judged" else taught
        drawn = [rows[place] for place in stream(SEED, name, side).permutation(len(rows))]
    if name == "prose":
        return [{"first": one["first"], "second": one["second"]} for one in drawn[:PASSAGES]]
    short = [one for one in drawn if len(str(one.get("answer", ""))) <= LONGEST_ANSWER]
    return [*{normalised(json.dumps(one)): one for one in short}.values()][:ROWS]


def told(names: Iterable[str]) -> Mapping[str, Any]:
    """Return how each probe is asked."""
    found = {}
    for name in names:
        if not PROBES[name]:
            found[name] = {"template": name, "metrics": ["accuracy"], "primary": "accuracy"}
            continue
        template = tomllib.loads((TEMPLATES / PROBES[name]).read_text(encoding="utf-8"))
        kept = {key: template[key] for key in SAID if key in template}
        found[name] = {"wordings": [template["wordings"][0]["prompt"]], **kept}
    return found


def main() -> None:
    """Write every probe's rows, and how they are asked."""
    parser = argparse.ArgumentParser(description="Write the probes that ship with Afters.")
    parser.add_argument("--data", type=Path, required=True, help="folder with the files of sources.toml")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the probes")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in PROBES:
        write(arguments.out / f"{name}.jsonl", rows_of(name, "judged", arguments.data), judged=None)
        write(arguments.out / f"{name}.train.jsonl", rows_of(name, "taught", arguments.data), judged=None)
    (arguments.out / "probes.toml").write_text(tomli_w.dumps(told(PROBES)), encoding="utf-8")


if __name__ == "__main__":
    main()
