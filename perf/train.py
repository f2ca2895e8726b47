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
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

import numpy as np

HERE = Path(__file__).resolve().parent
LONGEST = 512
"""Tokens: of a prompt for the T5, of prompt and answer for the decoder-only model."""


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

CONTESTS = {
    "t5": Contest(
        "T5 (256 wide, 4+4 layers, 8k vocabulary)",
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
        "Llama (256 wide, 6 layers, 32k vocabulary)",
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
                    "bf16, packed, no checkpointing": {**PLAIN_TRL, **BF16, "packing": True},
                    "fp32, grouped by length, no checkpointing": {**PLAIN_TRL, **GROUPED, "bf16": False},
                },
                {},
                48,
            ),
        ),
    ),
}


class Silent(RuntimeError):
    """A trainer has ended without an answer."""


class Process:
    """A trainer in a process of its own, asked over its pipes."""

    def __init__(self, trainer: str, *, model: Path, rows: Path, options: dict[str, Any]) -> None:
        told = {"trainer": trainer, "model": str(model), "rows": str(rows), "options": options}
        command = [sys.executable, str(HERE / "trainers.py"), json.dumps(told)]
        # Waiting threads that stay awake make a trainer many times slower beside other work: nobody is to win by that.
        awake = {"GOMP_SPINCOUNT": "10000"}
        place = {**os.environ, **awake, "TRANSFORMERS_VERBOSITY": "error", "PYTHONWARNINGS": "ignore"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=place
        )
        self.loaded_mb = self._answer()["peak_mb"]

    def teach(self, rows: list[int], *, seed: int, **more: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"rows": rows, "seed": seed, **more}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Silent("a trainer ended without an answer; run perf/trainers.py by hand to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer


def dialogsum(side: str) -> list[dict[str, str]]:
    beside = HERE.parents[1] / "shared" / "data"
    path = Path(os.environ.get("AFTERS_DATA", beside)) / "dialogsum" / f"dialogsum.{side}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def prepare(name: str, folder: Path) -> tuple[Path, Path, int]:
    """Draw the model, train its tokenizer on DialogSum, and encode the rows: (model, rows, teaching rows)."""
    import torch
    import transformers

    taught, judged = dialogsum("train"), dialogsum("dev")
    tokenizer = _tokenizer(taught, vocabulary=8_000 if name == "t5" else 32_000)
    torch.manual_seed(1)
    module: Any = (_t5 if name == "t5" else _llama)(transformers, tokenizer)
    model = folder / name
    module.save_pretrained(model)
    tokenizer.save_pretrained(model)
    rows = [_encoded(row, tokenizer, decoder=name == "decoder") for row in (*taught, *judged)]
    (folder / f"{name}.json").write_text(json.dumps(rows))
    return model, folder / f"{name}.json", len(taught)


def _t5(transformers: Any, tokenizer: Any) -> Any:
    return transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            **{"vocab_size": len(tokenizer), "d_model": 256, "d_ff": 704, "d_kv": 64, "num_heads": 4},
            **{"num_layers": 4, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
            **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        )
    )


def _llama(transformers: Any, tokenizer: Any) -> Any:
    return transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            **{"vocab_size": len(tokenizer), "hidden_size": 256, "intermediate_size": 704, "num_hidden_layers": 6},
            **{"num_attention_heads": 4, "max_position_embeddings": 1024, "attention_dropout": 0.1},
            **{"tie_word_embeddings": True, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 1},
        )
    )


def _tokenizer(rows: list[dict[str, str]], *, vocabulary: int) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=["<pad>", "</s>"], show_progress=False)
    backend.train_from_iterator((row[name] for row in rows for name in ("dialogue", "summary")), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="<pad>", eos_token="</s>")


def _encoded(row: dict[str, str], tokenizer: Any, *, decoder: bool) -> dict[str, list[int]]:
    answer = tokenizer(row.get("summary") or row["summary1"]).input_ids + [1]
    prompt = tokenizer(f"Summarise this dialogue.\n{row['dialogue']}\n").input_ids
    return {"prompt": prompt[: LONGEST - (len(answer) if decoder else 0)], "answer": answer}


class Field(NamedTuple):
    """The ground on which a contest is held."""

    model: Path
    rows: Path
    teaching: int

    def process(self, trainer: str, options: dict[str, Any]) -> Process:
        return Process(trainer, model=self.model, rows=self.rows, options=options)

    def draw(self, count: int, *, seed: int) -> list[int]:
        return np.random.default_rng(seed).choice(self.teaching, count, replace=False).tolist()


def tuned(peer: Peer, field: Field, *, rows: int) -> str:
    """Print the peer's grid, and return the name of its best settings."""
    seconds = {}
    for name, options in peer.grid.items():
        process, told = field.process(peer.trainer, options), "fails"
        try:
            process.teach(field.draw(32, seed=90), seed=1)
            seconds[name] = process.teach(field.draw(rows, seed=91), seed=1)["seconds"]
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
        process.teach(field.draw(32, seed=90), seed=1)
    made = []
    for number in range(rounds):
        rows = field.draw(count, seed=number)
        pair = (ours, theirs) if number % 2 else (theirs, ours)
        took = {id(process): process.teach(rows, seed=number) for process in pair}
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
    process.teach(rows[:16], seed=1)
    ratio = process.teach(rows, seed=1)["seconds"] / ours.teach(rows, seed=1)["seconds"]
    process.end()
    return float(ratio)


def losses(peer: Peer, field: Field, *, rows: int, seeds: int = 3) -> dict[str, Any]:
    """Teach both the same rows from the same weights, and return what they know of rows that nobody taught."""
    judged, settings = list(range(field.teaching, field.teaching + 200)), next(iter(peer.grid.values()))
    found: dict[str, list[float]] = {"afters": [], peer.trainer: []}
    for seed in range(seeds):
        for trainer, options in (("afters", {}), (peer.trainer, settings)):
            process = field.process(trainer, options)
            made = process.teach(field.draw(rows, seed=200 + seed), seed=seed, judge=judged)
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
