"""The model card: what afters-tiny was taught, what it scores, and what it cannot do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import NamedTuple

from safetensors import safe_open

from afters.runfolder import RunFolder
from afters.study.judging import Judged
from examples.base import overlap, prose, scores, shown, sources
from examples.base.overlap import Overlap

TEMPLATE = Path(__file__).with_name("card.md")


class Stage(NamedTuple):
    """One study of the recipe, as it was run."""

    name: str
    rows: int
    """That were taught, each as often as it was."""
    steps: int
    seconds: float
    by_task: dict[str, int]


class Told(NamedTuple):
    """All that the card tells."""

    stages: Sequence[Stage]
    """The last one on a GPU."""
    judged: Judged
    """The taught tasks."""
    choices: Judged
    held_out: Judged
    """Of Natural Instructions."""
    overlaps: Sequence[Overlap]


def stage(name: str, folder: RunFolder) -> Stage:
    """Return what a run taught, from its log."""
    steps, by_task = folder.steps(), Counter[str]()
    for step in steps:
        by_task.update({task: told["rows"] for task, told in step.get("tasks", {}).items()})
    rows, seconds = (sum(step[what] for step in steps) for what in ("rows", "seconds"))
    return Stage(name, rows, len(steps), seconds, dict(by_task.most_common()))


def text(model: Path, told: Told) -> str:
    """Return the card of the model in a folder, as Markdown."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    last = told.stages[-1]
    bits = next(one for one in told.judged.results if one.task == "halves").score("bits_per_byte")
    lines = scores.lines(told.judged)
    return TEMPLATE.read_text(encoding="utf-8").format(
        shape=_shape(config),
        weights=f"{_weights(model) / 1e6:.1f} million",
        vocabulary=f"{config['vocab_size']:,}",
        bytes=f"{sum(path.stat().st_size for path in model.glob('*.*') if path.suffix != '.md'):,}",
        minutes=f"{sum(one.seconds for one in told.stages[:-1]) / 60:.0f}",
        gpu_minutes=f"{last.seconds / 60:.0f}",
        stages="\n".join(map(_row, told.stages)),
        tasks=", ".join(f"{task} {rows:,}" for task, rows in last.by_task.items()),
        scores=scores.table(lines),
        above=sum(line.above.value >= scores.POINTS for line in lines),
        points=f"{100 * scores.POINTS:.0f}",
        terms=scores.terms_told(told.judged),
        bits=f"{bits.value:.3f} [{bits.low:.3f}, {bits.high:.3f}]",
        passages=bits.judged,
        shown=shown.table(told.choices),
        held_out=shown.held_out_told(told.held_out),
        sources=sources.table(),
        overlaps=overlap.table(told.overlaps),
        texts="\n".join(f"- `{one.file}`: {one.why}" for one in prose.TEXTS if one.taught),
    )


def _row(one: Stage) -> str:
    return f"| `{one.name}.toml` | {one.rows:,} | {one.steps:,} | {one.seconds / 60:.0f} |"


def _weights(model: Path) -> int:
    with safe_open(model / "model.safetensors", framework="numpy") as file:
        shapes = (file.get_slice(name).get_shape() for name in file.keys())  # noqa: SIM118
        return sum(map(prod, shapes))


def _shape(config: dict[str, int]) -> str:
    return (
        f"{config['num_layers']} encoder and {config['num_decoder_layers']} decoder layers, {config['d_model']} wide, "
        f"{config['num_heads']} heads of {config['d_kv']}, gated GELU of {config['d_ff']}, tied embeddings"
    )
