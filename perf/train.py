"""Training beside transformers' and TRL's trainers: the same rows and weights, turn and turn about in one run.

    python perf/train.py [t5] [decoder] [--quick] [--losses] [--json]

Needs the development data (AFTERS_DATA, or shared/data beside the checkout) and the peers of perf/requirements.txt.
Each trainer has a process of its own, which waits while another works; times are seconds of the clock, from the first
step's beginning to the last one's end. Every round teaches other rows; a peer's best settings are those that did best
in the grid that is printed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np
from process import Process, Silent
from shapes import LONGEST, TOLD, prepare

HERE = Path(__file__).resolve().parent


class Peer(NamedTuple):
    trainer: str
    grid: dict[str, dict[str, Any]]
    defaults: dict[str, Any]
    rows: int
    """How many rows a round has: some are slow."""


class Contest(NamedTuple):
    name: str
    peers: tuple[Peer, ...]


BF16 = {"bf16": True}
GROUPED = {"train_sampling_strategy": "group_by_length"}
LEAN = {**BF16, **GROUPED}
PLAIN_TRL = {"gradient_checkpointing": False, "max_length": LONGEST}
PACKED_TRL = {**PLAIN_TRL, **BF16, "packing": True, "per_device_train_batch_size": 7}
"""Seven lines of 512 tokens hold about sixteen rows; sixteen lines would not fit into 24 GiB."""

CONTESTS = {
    "t5": Contest(
        TOLD["t5"],
        (
            Peer(
                "Seq2SeqTrainer",
                {
                    "bf16, grouped by length": LEAN,
                    "bf16, grouped by length, eager attention": {**LEAN, "attn_implementation": "eager"},
                    "fp32, grouped by length": GROUPED,
                    "bf16, random batches": BF16,
                },
                {},
                160,
            ),
        ),
    ),
    "decoder": Contest(
        TOLD["decoder"],
        (
            Peer(
                "Trainer",
                {
                    "bf16, grouped by length": LEAN,
                    "bf16, grouped by length, eager attention": {**LEAN, "attn_implementation": "eager"},
                    "fp32, grouped by length": GROUPED,
                },
                {},
                160,
            ),
            Peer(
                "SFTTrainer",
                {
                    "bf16, grouped by length, no checkpointing": {**PLAIN_TRL, **LEAN},
                    "bf16, packed, no checkpointing": PACKED_TRL,
                    "fp32, grouped by length, no checkpointing": {**PLAIN_TRL, **GROUPED, "bf16": False},
                },
                {},
                48,
            ),
        ),
    ),
}


class Field(NamedTuple):
    """The ground on which a contest is held."""

    model: Path
    rows: Path
    teaching: int

    def process(self, trainer: str, options: dict[str, Any]) -> Process:
        told = {"trainer": trainer, "model": str(self.model), "rows": str(self.rows)}
        return Process("trainers.py", **told, options=options)

    def draw(self, count: int, *, seed: int) -> list[int]:
        return np.random.default_rng(seed).choice(self.teaching, count, replace=False).tolist()


def tuned(peer: Peer, field: Field, *, rows: int) -> str:
    """Print the peer's grid, and return the name of its best settings."""
    seconds = {}
    for name, options in peer.grid.items():
        process, told = field.process(peer.trainer, options), "fails"
        try:
            process.ask(rows=field.draw(32, seed=90), seed=1)
            seconds[name] = process.ask(rows=field.draw(rows, seed=91), seed=1)["seconds"]
            told = f"{rows / seconds[name]:.1f} rows/s"
        except Silent:
            pass
        process.end()
        print(f"  {peer.trainer} {version_of(peer.trainer)}, {name}: {told}", flush=True)
    return min(seconds, key=seconds.__getitem__)


def version_of(trainer: str) -> str:
    return version("trl" if trainer == "SFTTrainer" else "transformers")


def duel(peer: Peer, field: Field, *, rounds: int, quick: bool) -> dict[str, Any]:
    count = min(peer.rows, 64) if quick else peer.rows
    best = next(iter(peer.grid)) if quick else tuned(peer, field, rows=64)
    ours, theirs = field.process("afters", {}), field.process(peer.trainer, peer.grid[best])
    for process in (ours, theirs):
        process.ask(rows=field.draw(32, seed=90), seed=1)
    made = []
    for number in range(rounds):
        rows = field.draw(count, seed=number)
        pair = (ours, theirs) if number % 2 else (theirs, ours)
        took = {id(process): process.ask(rows=rows, seed=number) for process in pair}
        made.append((took[id(ours)], took[id(theirs)]))
    found = {
        "peer": peer.trainer,
        "peer_version": version_of(peer.trainer),
        "peer_settings": best,
        "rows": count,
        "rounds": rounds,
        "seconds": median(own["seconds"] for own, _ in made),
        "peer_seconds": median(other["seconds"] for _, other in made),
        "ratio": median(other["seconds"] / own["seconds"] for own, other in made),
        "memory_mb": made[-1][0]["peak_mb"] - ours.loaded_mb,
        "peer_memory_mb": made[-1][1]["peak_mb"] - theirs.loaded_mb,
    }
    found["memory_share"] = found["memory_mb"] / found["peer_memory_mb"]
    theirs.end()
    if not quick:
        found["defaults_ratio"] = _beside_defaults(peer, field, ours)
    ours.end()
    return found


def _beside_defaults(peer: Peer, field: Field, ours: Process) -> float:
    process, rows = field.process(peer.trainer, peer.defaults), field.draw(32, seed=92)
    process.ask(rows=rows[:16], seed=1)
    ratio = process.ask(rows=rows, seed=1)["seconds"] / ours.ask(rows=rows, seed=1)["seconds"]
    process.end()
    return float(ratio)


def losses(peer: Peer, field: Field, *, rows: int, seeds: int = 3) -> dict[str, Any]:
    """Teach both the same rows from the same weights, and return what they know of rows that nobody taught."""
    judged, settings = list(range(field.teaching, field.teaching + 200)), next(iter(peer.grid.values()))
    found: dict[str, list[float]] = {"afters": [], peer.trainer: []}
    for seed in range(seeds):
        for trainer, options in (("afters", {}), (peer.trainer, settings)):
            process = field.process(trainer, options)
            made = process.ask(rows=field.draw(rows, seed=200 + seed), seed=seed, judge=judged)
            found[trainer].append(made["loss"])
            process.end()
            print(f"  {trainer}, seed {seed}: {made['loss']:.3f} nats", flush=True)
    return {"peer": peer.trainer, "losses": found, "apart": mean(found["afters"]) - mean(found[peer.trainer])}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("contests", nargs="*", metavar="contest", help="t5, decoder; both when none is named")
    parser.add_argument("--peer", help="only this one: Seq2SeqTrainer, Trainer, SFTTrainer")
    parser.add_argument("--quick", action="store_true", help="one round of few rows, untuned, under 50 seconds")
    parser.add_argument("--losses", action="store_true", help="compare what was learnt, not how fast")
    parser.add_argument("--json", action="store_true", help="print one JSON object, last")
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.contests or CONTESTS:
            contest, field = CONTESTS[name], Field(*prepare(name, Path(folder)))
            print(contest.name, flush=True)
            peers = [peer for peer in contest.peers if options.peer in (None, peer.trainer)]
            for peer in peers[:1] if options.quick or options.losses else peers:
                if options.losses:
                    found = losses(peer, field, rows=640)
                    print(f"  apart by {found['apart']:+.4f} nats", flush=True)
                else:
                    found = duel(peer, field, rounds=1 if options.quick else 5, quick=options.quick)
                    print(f"  {told(found)}", flush=True)
                measured.append({"name": name, **found})
    if options.json:
        ratios = {f"{found['name']}, {found['peer']}": found.get("ratio") for found in measured}
        print(json.dumps({"pairs": measured, "ratios": ratios}))


def told(found: dict[str, Any]) -> str:
    beside = f"; its defaults {found['defaults_ratio']:.1f} times" if "defaults_ratio" in found else ""
    return (
        f"{found['rows'] / found['seconds']:.1f} rows/s, {found['peer']} ({found['peer_settings']}) "
        f"{found['rows'] / found['peer_seconds']:.1f}: {found['ratio']:.2f} times{beside}; memory beyond loading "
        f"{found['memory_mb']:.0f} MB, {found['peer_memory_mb']:.0f}: a share of {found['memory_share']:.2f}"
    )


if __name__ == "__main__":
    main()
