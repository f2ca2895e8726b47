"""Answering beside transformers' `generate` and lm-eval: the same rows, weights and precision, turn and turn about.

    python perf/answer.py [dialogsum] [mmlu] [mmlu-t5] [hellaswag] [--quick] [--json]

Needs the development data (AFTERS_DATA, or shared/data beside the checkout) and the peers of perf/requirements.txt.
Each side has a process of its own, which waits while another works; loading is not timed. Peers are tuned first, and
the grid is printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from process import Process
from questions import Asked, prepare

HERE = Path(__file__).resolve().parent

Options = dict[str, Any]


class Peer(NamedTuple):
    """Who is asked the same."""

    name: str
    who: str
    grid: dict[str, Options]
    """Its settings; the best are taken."""
    precision: str
    """Ours."""
    same: bool = True
    """Whether answers must be the same, or their agreement is told."""


class Contest(NamedTuple):
    task: str
    told: str
    peers: tuple[Peer, ...]


def _generate(precision: str, *, sort: bool, batches: tuple[int, ...]) -> dict[str, Options]:
    return {
        f"{precision}, {'sorted' if sort else 'as they come'}, batches of {batch}": {
            **{"precision": precision, "sorted": sort, "batch": batch}
        }
        for batch in batches
    }


def _harness(backend: str, *batches: int) -> dict[str, Options]:
    return {f"fp32, batches of {batch}": {"precision": "fp32", "backend": backend, "batch": batch} for batch in batches}


def _likelihoods(task: str, told: str, backend: str) -> Contest:
    return Contest(task, told, (Peer("lm-eval", "lm-eval", _harness(backend, 4, 16, 64), "fp32"),))


GPT2 = "GPT-2 (256 wide, 6 layers, 50k vocabulary)"

CONTESTS = {
    "dialogsum": Contest(
        "write",
        "the embedded base, 500 dialogues of DialogSum",
        (
            Peer("generate, fp32", "generate", _generate("fp32", sort=False, batches=(16,)), "fp32"),
            Peer("generate, fp32, ours bf16", "generate", _generate("fp32", sort=False, batches=(16,)), "bf16", False),
            Peer("generate, sorted", "generate", _generate("bf16", sort=True, batches=(16, 32, 64)), "bf16", False),
        ),
    ),
    "mmlu": _likelihoods("choose", f"{GPT2}, MMLU with five shots", "causal"),
    "mmlu-t5": _likelihoods("choose", "T5 (256 wide, 4+4 layers, 8k vocabulary), MMLU with five shots", "seq2seq"),
    "hellaswag": _likelihoods("choose", f"{GPT2}, HellaSwag", "causal"),
}


def _process(who: str, task: str, asked: Asked, options: Options) -> Process:
    return Process("answerers.py", who=who, task=task, model=str(asked.model), rows=str(asked.rows), options=options)


def tuned(peer: Peer, task: str, asked: Asked, *, rows: list[int]) -> str:
    """Print the peer's grid, and return the name of its best settings."""
    seconds = {}
    for name, options in peer.grid.items():
        process = _process(peer.who, task, asked, options)
        process.ask(rows=rows[:16])
        seconds[name] = process.ask(rows=rows)["seconds"]
        process.end()
        print(f"  {peer.name}, {name}: {len(rows) / seconds[name]:.1f} rows/s", flush=True)
    return min(seconds, key=seconds.__getitem__)


def duel(peer: Peer, task: str, asked: Asked, *, rounds: int, rows: list[int]) -> dict[str, Any]:
    """Ask both sides all rows, in turns, and return medians, and how far the answers agree."""
    few = rows[:: max(1, len(rows) // 120)]
    best = next(iter(peer.grid)) if len(peer.grid) == 1 else tuned(peer, task, asked, rows=few)
    ours = _process("afters", task, asked, {"precision": peer.precision})
    theirs = _process(peer.who, task, asked, peer.grid[best])
    for process in (ours, theirs):
        process.ask(rows=few[:16])
    made = []
    for number in range(rounds):
        pair = (ours, theirs) if number % 2 else (theirs, ours)
        took = {id(process): process.ask(rows=rows) for process in pair}
        made.append((took[id(ours)], took[id(theirs)]))
    own, other = made[-1]
    for process in (ours, theirs):
        process.end()
    return {
        "peer": peer.name,
        "peer_version": version("lm_eval" if peer.who == "lm-eval" else "transformers"),
        "peer_settings": best,
        "precision": peer.precision,
        "rows": len(rows),
        "rounds": rounds,
        "seconds": median(mine["seconds"] for mine, _ in made),
        "peer_seconds": median(its["seconds"] for _, its in made),
        "ratio": median(its["seconds"] / mine["seconds"] for mine, its in made),
        "memory_mb": own["peak_mb"] - ours.loaded_mb,
        "peer_memory_mb": other["peak_mb"] - theirs.loaded_mb,
        **_agreement(own["answers"], other["answers"], task),
    }


def _agreement(mine: list[Any], theirs: list[Any], task: str) -> dict[str, float]:
    pairs = list(zip(mine, theirs, strict=True))
    if task == "write":
        return {"same_answers": sum(one == other for one, other in pairs) / len(pairs)}
    best = sum(one.index(max(one)) == other.index(max(other)) for one, other in pairs) / len(pairs)
    apart = max(abs(a - b) for one, other in pairs for a, b in zip(one, other, strict=True))
    return {"same_choice": best, "largest_difference": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("contests", nargs="*", metavar="contest", help=f"{', '.join(CONTESTS)}; all when none is named")
    parser.add_argument("--quick", action="store_true", help="one round of few rows, the first peer, under 50 seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object, last")
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.contests or CONTESTS:
            contest, asked = CONTESTS[name], prepare(name, Path(folder))
            print(contest.told, flush=True)
            every = list(range(32 if options.quick else asked.count))
            for peer in contest.peers[:1] if options.quick else contest.peers:
                one = peer._replace(grid=dict([next(iter(peer.grid.items()))])) if options.quick else peer
                found = duel(one, contest.task, asked, rounds=1 if options.quick else options.rounds, rows=every)
                print(f"  {told(found)}", flush=True)
                measured.append({"name": name, **found})
    if options.json:
        ratios = {f"{found['name']}, {found['peer']}": found["ratio"] for found in measured}
        print(json.dumps({"pairs": measured, "ratios": ratios}))


def told(found: dict[str, Any]) -> str:
    rates = [found["rows"] / found[name] for name in ("seconds", "peer_seconds")]
    agree = "; ".join(
        f"{name.replace('_', ' ')} {found[name]:.4g}"
        for name in ("same_answers", "same_choice", "largest_difference")
        if name in found
    )
    return (
        f"{rates[0]:.1f} rows/s in {found['precision']}, {found['peer']} ({found['peer_settings']}) {rates[1]:.1f}: "
        f"{found['ratio']:.2f} times; {agree}; memory beyond loading {found['memory_mb']:.0f} MB, "
        f"{found['peer_memory_mb']:.0f}"
    )


if __name__ == "__main__":
    main()
