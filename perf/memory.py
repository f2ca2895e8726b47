"""How far the plan of `train/memory.py` is from what is measured: the growth of the resident set in a fresh process.

    python perf/memory.py [--quick] [--json] [--tokens 4096 …] [--precision bf16]

Needs the development data. Linux only: the peak is VmHWM, set back before the model is read. Libraries are paged in by
teaching a narrow model a few words first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shapes import TOLD, prepare

CASES = [(shape, method) for shape in TOLD for method in ("full", "lora")]
ROWS, STEP_ROWS = 192, 32


def measure(folder: Path, shape: str, method: str, *, tokens: int, precision: Any) -> dict[str, Any]:
    """Teach in this process, and hold what it grows by against the plan."""
    from afters.model.network import Pair

    few = [Pair((5,) * 16, (7,) * 4)] * 4
    rows = json.loads((folder / f"{shape}.json").read_text())[:ROWS]
    many = [Pair(row["prompt"], row["answer"]) for row in rows]
    teach(folder / "narrow" / shape, few, method, tokens=tokens, precision=precision)
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    planned = teach(folder / shape, many, method, tokens=tokens, precision=precision)
    grown = resident("VmHWM") - before
    name = f"{shape} {method} {tokens}"
    return {"name": name, "planned": planned, "measured": grown, "ratio": planned["total"] / grown}


def teach(model: Path, pairs: list[Any], method: str, *, tokens: int, precision: Any) -> dict[str, int]:
    from afters.model.load import load
    from afters.study.teaching import prepare
    from afters.train.lessons import Pairs
    from afters.train.loop import train
    from afters.train.memory import plan
    from afters.train.settings import TrainSettings

    settings = TrainSettings.model_validate(
        {"method": method, "epochs": 1, "batch_rows": STEP_ROWS, "token_budget": tokens, "validations": 1}
    )
    loaded = load(model, for_training=True, precision=precision)
    prepare(loaded.network.module, settings, seed=0)
    lessons = Pairs(pairs)
    planned = plan(loaded.network, lessons, rows=STEP_ROWS, tokens=tokens, precision=precision)
    with tempfile.TemporaryDirectory() as folder:
        told = {"seed": 0, "folder": Path(folder), "precision": precision, "validate": lambda step: 0.0}
        train(loaded.network, lessons, settings, **told)
    return planned.plain()


def resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(name)))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object, last")
    parser.add_argument("--quick", action="store_true", help="the T5 only")
    parser.add_argument("--tokens", type=int, nargs="+", default=[4096], help="padded tokens at once")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, shape, method, tokens = options.one
        print(json.dumps(measure(Path(folder), shape, method, tokens=int(tokens), precision=options.precision)))
        return
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in TOLD:
            prepare(shape, Path(folder))
            prepare(shape, Path(folder) / "narrow", width=16)
        for tokens in options.tokens:
            for shape, method in CASES[:2] if options.quick else CASES:
                told.append(alone(folder, shape, method, str(tokens), precision=options.precision))
    if options.json:
        print(json.dumps({"ratios": {one["name"]: one["ratio"] for one in told}, "cases": told}))


def alone(*which: str, precision: str) -> dict[str, Any]:
    """Measure in a fresh process, and print what came out."""
    command = [sys.executable, __file__, "--precision", precision, "--one", *which]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    one: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    parts = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in one["planned"].items())
    print(
        f"{one['name']}: measured {one['measured'] / 1e6:,.0f} MB; planned {parts}: {one['ratio']:.2f} of it",
        flush=True,
    )
    return one


if __name__ == "__main__":
    main()
