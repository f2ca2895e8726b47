"""Save, resume, keep the best. A checkpoint stands whole or not at all, and holds no pickle.

A checkpoint is a folder that is written beside its place and moved there when it is complete:

    checkpoints/step-000120/
      weights.safetensors     the weights that learn, in fp32
      optimizer.safetensors   AdamW's two moments of each
      best.safetensors        the weights at the best validation so far, once there was one
      state.json              step, history, the sha256 of the files above, and of itself

No random state is kept: chance is a function of (seed, step).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from afters.errors import RunFolderError

KEPT = 2
"""Checkpoints on disk: the newest, and the one before it should the newest prove damaged."""

MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Progress:
    """Where a run stands; all of it is in the checkpoint."""

    step: int = 0
    """Optimizer steps done."""
    validations: dict[int, float] = field(default_factory=dict)
    """What validation said, by step."""
    best_step: int | None = None
    skipped: int = 0
    """Steps whose gradient was not finite, and that changed nothing."""
    done: bool = False


def save(
    folder: Path,
    progress: Progress,
    *,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    best: Mapping[str, Tensor] | None,
) -> None:
    """Write a checkpoint into `folder`, then remove all but the newest `KEPT`."""
    place = folder / f"step-{progress.step:06d}"
    draft = folder / f".draft-{place.name}"
    for unfinished in folder.glob(".draft-*"):
        shutil.rmtree(unfinished)
    draft.mkdir(parents=True)
    save_file({name: weight.detach().contiguous() for name, weight in weights.items()}, draft / "weights.safetensors")
    moments = {
        f"{moment}.{name}": optimizer.state[weight][moment].contiguous()
        for name, weight in weights.items()
        for moment in MOMENTS
        if moment in optimizer.state.get(weight, {})
    }
    save_file(moments, draft / "optimizer.safetensors")
    if best is not None:
        save_file({name: weight.contiguous() for name, weight in best.items()}, draft / "best.safetensors")
    hashes = {path.name: _hash(path) for path in sorted(draft.glob("*.safetensors"))}
    state = json.loads(json.dumps({"progress": asdict(progress), "sha256": hashes}))
    (draft / "state.json").write_text(json.dumps({**state, "seal": _seal(state)}))
    _settle(draft)
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)
    _sync(folder)
    for old in saved(folder)[:-KEPT]:
        shutil.rmtree(old)


def saved(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, oldest first."""
    return sorted(folder.glob("step-*"), key=lambda place: int(place.name.removeprefix("step-")))


def resume(
    folder: Path, *, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Load the newest checkpoint that is whole into weights and optimizer; a fresh Progress when there is none."""
    for place in reversed(saved(folder)):
        state = _whole(place)
        if state is None:
            continue
        progress = Progress(**state["progress"])
        progress.validations = {int(step): value for step, value in progress.validations.items()}
        _fill(weights, load_file(place / "weights.safetensors"), place)
        moments = load_file(place / "optimizer.safetensors")
        for name, weight in weights.items():
            if f"exp_avg.{name}" in moments:
                taken = {moment: moments[f"{moment}.{name}"].to(weight.device) for moment in MOMENTS}
                updates = torch.tensor(float(progress.step - progress.skipped), device=weight.device)
                optimizer.state[weight] = {"step": updates, **taken}
        best = place / "best.safetensors"
        return progress, load_file(best) if best.is_file() else None
    return Progress(), None


def _fill(weights: Mapping[str, Tensor], loaded: Mapping[str, Tensor], place: Path) -> None:
    if weights.keys() != loaded.keys():
        raise RunFolderError("the checkpoint is of another model", where=place.name)
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(loaded[name])


def _whole(place: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((place / "state.json").read_text())
        intact = state.pop("seal") == _seal(state)
        intact = intact and all(_hash(place / name) == expected for name, expected in state["sha256"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return state if intact else None


def _seal(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settle(folder: Path) -> None:
    """Have the files and their folder on the disk itself before the rename makes them count."""
    for path in [*folder.iterdir(), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
