"""How far the plan of `train/memory.py` is from what is measured: the growth of the resident set in a fresh process.

Run it as `python perf/memory.py`, with --json for one object on the last line, --quick for the smaller shape only.
Linux only: the peak is VmHWM, set back before the model is made. Libraries are paged in by a tiny model first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

CASES = [(shape, method) for shape in ("t5", "llama") for method in ("full", "lora")]
"""T5 256 wide, 4+4 layers, 8k vocabulary; Llama 256 wide, 6 layers, 32k vocabulary."""


def network(shape: str, *, method: str, tiny: bool = False) -> Any:
    import torch
    import transformers

    from afters.model.adapters import wrap
    from afters.model.attention import lean, packed
    from afters.model.causal import Causal
    from afters.model.seq2seq import Seq2Seq

    torch.manual_seed(0)
    width, layers, vocabulary = (
        (16, 1, 100) if tiny else (256, 4 if shape == "t5" else 6, 8192 if shape == "t5" else 32_000)
    )
    if shape == "t5":
        config = transformers.T5Config(
            **{"vocab_size": vocabulary, "d_model": width, "d_kv": width // 4, "d_ff": 11 * width // 4, "num_heads": 4},
            **{"num_layers": layers, "feed_forward_proj": "gated-gelu", "dropout_rate": 0.1},
            **{"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0},
        )
        module: Any = lean(transformers.T5ForConditionalGeneration(config))
    else:
        config = transformers.LlamaConfig(
            **{"vocab_size": vocabulary, "hidden_size": width, "intermediate_size": 11 * width // 4},
            **{"num_hidden_layers": layers, "num_attention_heads": 4, "tie_word_embeddings": True},
            **{"attention_dropout": 0.1, "pad_token_id": 0},
        )
        module = packed(transformers.LlamaForCausalLM(config))
    if method == "lora":
        wrap(module, rank=16, alpha=32.0, dropout=0.05, targets=["all-linear"])
    return Seq2Seq(module) if shape == "t5" else Causal(module, packs=True)


def rows(count: int) -> list[Any]:
    """Rows of the lengths of DialogSum: 215 tokens to read on average, up to 512; 37 to write."""
    from afters.model.network import Pair
    from afters.seeds import stream

    draw = stream(0, "lengths")
    prompts = draw.lognormal(5.2, 0.45, count).clip(30, 480).astype(int)
    answers = draw.lognormal(3.5, 0.4, count).clip(8, 90).astype(int)
    return [Pair((5,) * int(prompt), (7,) * int(answer)) for prompt, answer in zip(prompts, answers, strict=True)]


def measure(shape: str, method: str, *, tokens: int, precision: Any) -> dict[str, Any]:
    """Train for some steps in this process, and hold the growth against the plan."""
    from afters.train.loop import train
    from afters.train.memory import plan
    from afters.train.settings import TrainSettings

    def run(tiny: bool, folder: Path) -> dict[str, int]:
        made, pairs = network(shape, method=method, tiny=tiny), rows(192)
        planned = plan(made, pairs, rows=32, tokens=tokens, precision=precision)
        settings = TrainSettings(epochs=1, batch_rows=32, token_budget=tokens, validations=1, learning_rate=1e-4)
        train(made, pairs, settings, seed=0, folder=folder, precision=precision, validate=lambda step: 0.0)
        return planned.plain()

    with tempfile.TemporaryDirectory() as folder:
        run(True, Path(folder) / "tiny")
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        planned = run(False, Path(folder) / "real")
    grown = resident("VmHWM") - before
    return {
        "name": f"{shape} {method} {tokens}",
        "planned": planned,
        "measured": grown,
        "ratio": planned["total"] / grown,
    }


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096])
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        shape, method, tokens = arguments.one
        print(json.dumps(measure(shape, method, tokens=int(tokens), precision=arguments.precision)))
        return
    told = []
    for tokens in arguments.tokens:
        for shape, method in CASES[:2] if arguments.quick else CASES:
            command = [
                sys.executable,
                __file__,
                "--precision",
                arguments.precision,
                "--one",
                shape,
                method,
                str(tokens),
            ]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            told.append(json.loads(done.stdout.splitlines()[-1]))
            parts = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in told[-1]["planned"].items())
            print(f"{told[-1]['name']}: measured {told[-1]['measured'] / 1e6:,.0f} MB; planned {parts}: ", end="")
            print(f"{told[-1]['ratio']:.2f} of it", flush=True)
    if arguments.json:
        print(json.dumps({"ratios": {one["name"]: one["ratio"] for one in told}, "cases": told}))


if __name__ == "__main__":
    main()
