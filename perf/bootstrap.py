"""How long 10,000 bootstrap replicates over 10,000 Cases take: medians for ROUGE, BLEU and Matthews.

Run it as `python perf/bootstrap.py`, with --json for one object on the last line. It measures the bar of one second,
and so prints no peer: sacrebleu's own bootstrap makes 1,000 replicates of BLEU, lm-eval's 100,000 of Matthews take
minutes by random.choices.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from afters.compare.paired import statistic
from afters.compare.resample import REPLICATES, Array, bootstrap
from afters.metrics.metric import Metric
from afters.metrics.table import metric_for
from afters.seeds import stream

CASES = 10_000
BAR_SECONDS = 1.0


def rouge_rows() -> Array:
    return np.column_stack([stream(0, "rouge").random((CASES, 4)), np.ones(CASES)])


def bleu_rows() -> Array:
    """Matches and runs of 1 to 4 words, words written and words of the reference, of answers of 5 to 40 words."""
    draw = stream(0, "bleu")
    written, reference = draw.integers(5, 40, size=(2, CASES))
    runs = written[:, None] - np.arange(4)
    return np.column_stack([draw.binomial(runs, 0.5), runs, written, reference]).astype(np.float64)


def matthews_rows() -> Array:
    """Counts of three labels, each chosen, right, and chosen rightly or not."""
    draw = stream(0, "matthews")
    right = draw.integers(3, size=CASES)
    made = np.where(draw.random(CASES) < 0.7, right, draw.integers(3, size=CASES))
    counts = np.zeros((CASES, 3, 3))
    cases = np.arange(CASES)
    counts[cases, made, 1] = counts[cases, right, 2] = 1
    counts[cases, right, 0] = made == right
    return counts.reshape(CASES, -1)


ROWS: dict[str, Callable[[], Array]] = {"rouge": rouge_rows, "bleu": bleu_rows, "matthews": matthews_rows}


def seconds(metric: Metric, sides: list[Array], *, times: int) -> float:
    score = statistic(metric, score=metric.names[0])
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        assert len(bootstrap(sides, score, seed=0)) == REPLICATES
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--json", action="store_true")
    options.add_argument("--times", type=int, default=5, help="runs of each, of which the median is told")
    asked = options.parse_args()
    told = {}
    for name, make in ROWS.items():
        rows = make()
        other = rows[stream(0, "other").permutation(CASES)]
        told[name] = {
            "one_side_seconds": round(seconds(metric_for(name), [rows], times=asked.times), 3),
            "difference_seconds": round(seconds(metric_for(name), [rows, other], times=asked.times), 3),
        }
        if not asked.json:
            print(
                f"{name:9} {told[name]['one_side_seconds']:.3f} s, difference {told[name]['difference_seconds']:.3f} s"
            )
    if asked.json:
        print(json.dumps({"replicates": REPLICATES, "cases": CASES, "bar_seconds": BAR_SECONDS, "metrics": told}))


if __name__ == "__main__":
    main()
