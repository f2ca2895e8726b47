"""A fault at each write, sync, rename and removal: a checkpoint that loads is left, and the disk's words are told."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from afters.errors import RunFolderError
from afters.train import checkpoint
from afters.train.checkpoint import Progress

CALLS = ("mkdir", "fsync", "rename", "unlink", "rmdir")
"""What `os` is asked, by pathlib and shutil too, beside the two that write: `save_file` and `Path.write_text`."""

Fault = Callable[[], None]


def state(step: int) -> tuple[dict[str, Tensor], torch.optim.AdamW]:
    """Weights and moments that tell of which step they are."""
    weight = torch.nn.Parameter(torch.full((40, 5), float(step)))
    optimizer = torch.optim.AdamW([weight])
    moments = {name: torch.full((40, 5), step + 0.5) for name in ("exp_avg", "exp_avg_sq")}
    optimizer.state[weight] = {"step": torch.tensor(float(step)), **moments}
    return {"w": weight}, optimizer


def save(folder: Path, step: int) -> None:
    weights, optimizer = state(step)
    best = {"w": weights["w"].detach() + 1}
    contents = checkpoint.gather(weights=weights, optimizer=optimizer)
    checkpoint.save(folder, Progress(step=step), contents, best=best)


def loaded_step(folder: Path) -> int:
    """Load what is there, see that its parts belong together, and return its step."""
    weights, optimizer = state(0)
    progress, best = checkpoint.resume(folder, weights=weights, optimizer=optimizer)
    assert best is not None
    assert bool((weights["w"] == progress.step).all())
    assert bool((best["w"] == progress.step + 1).all())
    assert bool((optimizer.state[weights["w"]]["exp_avg"] == progress.step + 0.5).all())
    return progress.step


@contextmanager
def failing(call: int, fault: Fault, *, half_written: bool = False) -> Iterator[list[str]]:
    """Let the `call`-th operation on the disk, from 1, meet a fault; give the list of those that were begun."""
    begun: list[str] = []

    def spoilt(name: str, honest: Callable[..., Any]) -> Callable[..., Any]:
        def operation(*arguments: Any, **options: Any) -> Any:
            begun.append(name)
            if len(begun) == call:
                if half_written and name in ("save_file", "write_text"):
                    honest(*arguments, **options)
                    path = next(one for one in arguments if isinstance(one, Path))
                    os.truncate(path, path.stat().st_size // 2)
                fault()
            return honest(*arguments, **options)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, spoilt(name, getattr(os, name)))
        patch.setattr(checkpoint, "save_file", spoilt("save_file", save_file))
        patch.setattr(Path, "write_text", spoilt("write_text", Path.write_text))
        yield begun


def operations(folder: Path) -> list[str]:
    """What the third checkpoint asks of the disk: it writes itself and removes the first."""
    for step in (3, 6):
        save(folder, step)
    with failing(0, lambda: None) as begun:
        save(folder, 9)
    return begun


def test_the_operations_that_are_spoilt_are_all_there_are(tmp_path: Path) -> None:
    begun = operations(tmp_path)
    assert begun.count("save_file") == 3 and begun.count("write_text") == 1 and begun.count("rename") == 1
    assert begun.count("fsync") == 6, "four files, their folder, the folder above"
    assert begun.index("rename") > 4 + max(place for place, name in enumerate(begun) if name == "write_text")
    assert begun.count("unlink") == 4 and begun.count("rmdir") == 1


@pytest.mark.parametrize("half_written", [False, True])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_any_operation_leaves_a_checkpoint_that_loads(
    tmp_path: Path, code: int, half_written: bool
) -> None:
    def fault() -> None:
        raise OSError(code, os.strerror(code))

    for call, name in enumerate(operations(tmp_path / "whole"), 1):
        folder = tmp_path / str(call)
        for step in (3, 6):
            save(folder, step)
        with failing(call, fault, half_written=half_written):
            try:
                save(folder, 9)
                failed = False
            except RunFolderError as problem:
                failed = True
                assert os.strerror(code) in str(problem) and "step-00000" in str(problem)
        assert failed == (name not in ("unlink", "rmdir")), "what is only not cleared away can wait"
        assert not list(folder.glob(".draft-*")), "the half of it takes no room"
        assert loaded_step(folder) == (6 if "step-000009" not in [place.name for place in folder.iterdir()] else 9)
        save(folder, 9)
        assert loaded_step(folder) == 9 and len(checkpoint.saved(folder)) == 2


def in_child(work: Callable[[], None]) -> int:
    """Do work in a process of its own, and return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except RunFolderError:
            os._exit(3)
        except BaseException:
            os._exit(4)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("half_written", [False, True])
def test_a_process_that_dies_at_any_operation_leaves_a_checkpoint_that_loads(
    tmp_path: Path, half_written: bool
) -> None:
    for call in range(1, len(operations(tmp_path / "whole")) + 1):
        folder = tmp_path / str(call)
        for step in (3, 6):
            save(folder, step)

        def work(call: int = call, folder: Path = folder) -> None:
            with failing(call, lambda: os._exit(9), half_written=half_written):
                save(folder, 9)

        assert in_child(work) == 9
        assert loaded_step(folder) in (6, 9)
        save(folder, 12)
        assert loaded_step(folder) == 12 and not list(folder.glob(".draft-*"))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_files_that_cannot_grow_any_more_leave_the_checkpoint_before(tmp_path: Path) -> None:
    """The system itself refuses here, in the middle of what safetensors writes."""
    save(tmp_path, 3)
    sizes = [path.stat().st_size for path in (tmp_path / "step-000003").iterdir()]

    def work(size: int) -> Callable[[], None]:
        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
            save(tmp_path, 6)

        return limited

    for size in (0, 1, 100, min(sizes) - 1, max(sizes) - 1):
        assert in_child(work(size)) == 3, size
        assert [path.name for path in tmp_path.iterdir()] == ["step-000003"]
    assert loaded_step(tmp_path) == 3
    assert in_child(work(max(sizes))) == 0
    assert loaded_step(tmp_path) == 6


def test_the_very_first_checkpoint_that_fails_leaves_a_run_that_begins_again(tmp_path: Path) -> None:
    def fault() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with failing(2, fault), pytest.raises(RunFolderError, match="No space left on device") as raised:
        save(tmp_path, 3)
    assert "step-000003 stands" not in str(raised.value)
    weights, optimizer = state(0)
    told: list[str] = []
    progress, _ = checkpoint.resume(tmp_path, weights=weights, optimizer=optimizer, tell=told.append)
    assert (progress.step, told) == (0, [])


def test_checkpoints_beyond_the_one_gone_on_from_are_cleared_away(tmp_path: Path) -> None:
    """They were damaged: kept, they would push out whole ones and be named at every start."""
    for step in (3, 6):
        save(tmp_path, step)
    (tmp_path / "step-000006" / "weights.safetensors").write_bytes(b"half")
    assert loaded_step(tmp_path) == 3
    save(tmp_path, 5)
    assert [place.name for place in checkpoint.saved(tmp_path)] == ["step-000003", "step-000005"]
