"""ROUGE beside Google's rouge_score: the same pairs of texts, one thread each, turn and turn about in one run.

    python perf/rouge.py [--quick] [--json]

Needs the development data (AFTERS_DATA, or shared/data beside the checkout) and the peers of perf/requirements.txt.
Times are processor seconds, which a busy machine stretches less than those of the clock. Every round scores new pairs,
and where texts are not said to come again each is read once, so that remembering texts does not help.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from itertools import permutations
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from rouge_score.rouge_scorer import RougeScorer

from afters.metrics.rouge import overlaps

Pairs = Sequence[tuple[str, str]]
"""Answers, each with its reference."""

Scores = dict[str, tuple[float, float, float]]
"""Precision, recall and F-measure of each kind."""

SHORT = ("rouge1", "rouge2", "rougeL")
ALL = (*SHORT, "rougeLsum")


class Contest(NamedTuple):
    """What is scored, and how."""

    name: str
    pairs: Pairs
    kinds: Sequence[str]
    at_once: int
    """Pairs in a round."""


def data_folder() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("AFTERS_DATA", beside))


def dialogsum(side: str) -> list[dict[str, str]]:
    path = data_folder() / "dialogsum" / f"dialogsum.{side}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def neighbours(texts: Sequence[str]) -> Pairs:
    """Pair the texts up, so that each is read once."""
    return list(zip(texts[::2], texts[1::2], strict=False))


def contests() -> list[Contest]:
    rows = dialogsum("train")
    summaries = [row["summary"] for row in rows]
    dialogues = [row["dialogue"] for row in rows if 100 <= len(row["dialogue"].split()) <= 400]
    three = [[row[f"summary{number}"] for number in (1, 2, 3)] for row in dialogsum("test")]
    each_with_others = [pair for same in three for pair in permutations(same, 2)]
    return [
        Contest("summaries", neighbours(summaries), ALL, 600),
        Contest("summaries that come again", each_with_others, ALL, 300),
        Contest("dialogues, without Lsum", neighbours(dialogues), SHORT, 100),
        Contest("dialogues, with Lsum", neighbours(dialogues[::-1]), ALL, 50),
    ]


def ours(kinds: Sequence[str]) -> Callable[[str, str], Scores]:
    def score(answer: str, reference: str) -> Scores:
        found = overlaps(answer, reference=reference, kinds=kinds)
        return {kind: (overlap.precision, overlap.recall, overlap.f1) for kind, overlap in found.items()}

    return score


def theirs(kinds: Sequence[str]) -> Callable[[str, str], Scores]:
    scorer = RougeScorer(list(kinds), use_stemmer=True)

    def score(answer: str, reference: str) -> Scores:
        return dict(scorer.score(reference, answer))

    return score


def timed(score: Callable[[str, str], Scores], pairs: Pairs) -> float:
    began = time.process_time()
    for answer, reference in pairs:
        score(answer, reference)
    return time.process_time() - began


def difference(one: Callable[[str, str], Scores], other: Callable[[str, str], Scores], pairs: Pairs) -> float:
    scored = ((one(*pair), other(*pair)) for pair in pairs)
    return max(
        abs(mine - peers)
        for left, right in scored
        for kind in left
        for mine, peers in zip(left[kind], right[kind], strict=True)
    )


def measure(contest: Contest, *, rounds: int) -> dict[str, Any]:
    """Time both on new pairs in every round, after a round in which only their scores are compared."""
    mine, peers = ours(contest.kinds), theirs(contest.kinds)
    dealt = [contest.pairs[number * contest.at_once :][: contest.at_once] for number in range(rounds + 1)]
    assert len(dealt[-1]) == contest.at_once, f"{contest.name}: too few pairs for {rounds} rounds"
    apart = difference(mine, peers, dealt[0])
    seconds = []
    for number, pairs in enumerate(dealt[1:]):
        if number % 2:
            theirs_first = timed(peers, pairs)
            seconds.append((timed(mine, pairs), theirs_first))
        else:
            seconds.append((timed(mine, pairs), timed(peers, pairs)))
    return {
        "name": contest.name,
        "kinds": list(contest.kinds),
        "pairs": contest.at_once,
        "rounds": rounds,
        "seconds": median(own for own, _ in seconds),
        "peer": "rouge_score",
        "peer_version": version("rouge_score"),
        "peer_settings": "use_stemmer=True",
        "peer_seconds": median(other for _, other in seconds),
        "ratio": median(other / own for own, other in seconds),
        "largest_difference": apart,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, under 50 seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object, last")
    options = parser.parse_args()
    measured = []
    for contest in contests():
        found = measure(contest, rounds=5 if options.quick else 9)
        measured.append(found)
        print(
            f"{found['name']}: {found['pairs'] / found['seconds']:,.0f} pairs/s, rouge_score "
            f"{found['pairs'] / found['peer_seconds']:,.0f}: {found['ratio']:.1f} times; "
            f"largest difference {found['largest_difference']:.0e}",
            flush=True,
        )
    if options.json:
        print(json.dumps({"pairs": measured, "ratios": {found["name"]: found["ratio"] for found in measured}}))


if __name__ == "__main__":
    main()
