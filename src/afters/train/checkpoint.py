"""Save, resume, keep the best. A checkpoint stands whole or not at all, and holds no pickle.

A checkpoint is a folder that is written beside its place and moved there when it is complete:

    checkpoints/step-000120/
      weights.safetensors     the weights that learn, in fp32
      optimizer.safetensors   what the optimizer keeps of each
      best.safetensors        the weights at the best validation so far, once there was one
      state.json              step, history, the sha256 of the files above, and of itself

No random state is kept: chance is a function of (seed, step). A checkpoint that is whole is never written again, so
at no moment is there none; a damaged one is named, and the one before it is taken. What is in shards is gathered
first, so that it goes on in any number of processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from afters.errors import RunFolderError
from afters.model.shards import gathered, pour
from afters.train.optimizer import give_back, kept

KEPT = 2
"""Checkpoints on disk: the newest, and the one before it should the newest prove damaged."""


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
    bad_in_a_row: int = 0
    """How many of them were the last ones."""
    unjudged: dict[str, Any] | None = None
    """The log's line of the last step, when the run was stopped while the model was being judged after it."""
    token_budget: int | None = None
    """Tokens computed at once since memory ran out; None: as the settings say."""
    done: bool = False


class _Damaged(Exception):
    """A checkpoint is not what was written; says which file, and how that shows."""


class Contents(NamedTuple):
    """What a checkpoint holds beside the progress, in whole tensors."""

    weights: Mapping[str, Tensor]
    optimizer: Mapping[str, Tensor]


def gather(*, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, keep: bool = True) -> Contents:
    """Return what a checkpoint will hold; of shards, all processes gather it and those get it that `keep` it."""
    return Contents(gathered(weights, keep=keep), gathered(kept(optimizer, weights=weights), keep=keep))


def save(folder: Path, progress: Progress, contents: Contents, *, best: Mapping[str, Tensor] | None) -> None:
    """Write a checkpoint into `folder`, then remove all but the newest `KEPT`, and what an abandoned way left beyond.

    Raises:
        RunFolderError: the disk is full or fails; the checkpoints that stood there stand as they did.
    """
    place = folder / f"step-{progress.step:06d}"
    draft = place.with_name(f".draft-{place.name}")
    left = saved(folder)
    with writing(f"the checkpoint {place.name}", draft=draft, stands=f"{left[-1].name} stands. " if left else ""):
        _write(place, draft, progress, contents, best=best)
    earlier = [other for other in saved(folder) if _step(other) <= progress.step]
    for old in {*saved(folder)} - {*earlier[-KEPT:]}:
        shutil.rmtree(old, ignore_errors=True)


def _write(
    place: Path, draft: Path, progress: Progress, contents: Contents, *, best: Mapping[str, Tensor] | None
) -> None:
    for unfinished in place.parent.glob(".draft-*"):
        shutil.rmtree(unfinished)
    draft.mkdir(parents=True)
    held = {**contents._asdict(), **({} if best is None else {"best": best})}
    for file, tensors in held.items():
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft / f"{file}.safetensors")
    hashes = {path.name: _hash(path) for path in sorted(draft.glob("*.safetensors"))}
    state = json.loads(json.dumps({"progress": asdict(progress), "sha256": hashes}))
    (draft / "state.json").write_text(json.dumps({**state, "seal": _seal(state)}))
    settle(draft)
    shutil.rmtree(place, ignore_errors=True)  # a damaged one, or one of step 0, which is as good as none
    draft.rename(place)
    _sync(place.parent)


@contextmanager
def writing(what: str, *, draft: Path, stands: str = "") -> Iterator[None]:
    """Within this context a full or failing disk is told in one message, and the half-written draft is removed."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise RunFolderError(
            f"{what} could not be written",
            where=str(draft.parent),
            received=(error.strerror if isinstance(error, OSError) else None) or str(error),
            hint=f"{stands}Make room on the disk and run the same command again: it goes on from what stands.",
        ) from error


def saved(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, oldest first."""
    return sorted(folder.glob("step-*"), key=_step)


def _step(place: Path) -> int:
    return int(place.name.removeprefix("step-"))


def resume(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    tell: Callable[[str], None] = lambda line: None,
) -> tuple[Progress, dict[str, Tensor] | None]:
    """Load the newest checkpoint that is whole into weights and optimizer; a fresh Progress when there is none.

    `tell` is told which checkpoints are damaged, in which file, and from where the run goes on instead.
    """
    for place in reversed(found := saved(folder)):
        try:
            state = _whole(place)
        except _Damaged as damage:
            tell(f"checkpoint {place.name} is damaged: {damage}")
            continue
        if place != found[-1]:
            tell(f"training goes on from {place.name}, the last checkpoint that is whole")
        progress = Progress(**state["progress"])
        progress.validations = {int(step): value for step, value in progress.validations.items()}
        _fill(weights, load_file(place / "weights.safetensors"), place)
        give_back(optimizer, weights=weights, tensors=load_file(place / "optimizer.safetensors"))
        best = place / "best.safetensors"
        return progress, load_file(best) if best.is_file() else None
    if found:
        tell("no checkpoint is whole: training begins again with the base model")
    return Progress(), None


def _fill(weights: Mapping[str, Tensor], loaded: Mapping[str, Tensor], place: Path) -> None:
    if weights.keys() != loaded.keys():
        raise RunFolderError("the checkpoint is of another model", where=place.name)
    for name, weight in weights.items():
        pour(weight, loaded[name])


def _whole(place: Path) -> dict[str, Any]:
    """Return the state of a checkpoint whose every file is what was written."""
    try:
        state: dict[str, Any] = json.loads((place / "state.json").read_text())
        sealed = state.pop("seal") == _seal(state)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Damaged(f"state.json cannot be read ({type(error).__name__})") from None
    if not sealed:
        raise _Damaged("state.json is not what was written")
    for name, expected in state["sha256"].items():
        try:
            intact = _hash(place / name) == expected
        except OSError as error:
            raise _Damaged(f"{name} cannot be read ({error.strerror})") from None
        if not intact:
            raise _Damaged(f"{name} is not what was written (its sha256 is another)")
    return state


def _seal(state: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settle(folder: Path) -> None:
    """Have the files and their folder on the disk itself before the rename makes them count."""
    for path in [*folder.iterdir(), folder]:
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
