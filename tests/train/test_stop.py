"""SIGTERM while a model learns: a checkpoint stands, and the run goes on to the weights it would have come to."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Tiny
from tiny_training import PAIRS, STEPS, Ended, Stopped, assert_equal, ended, noting, plain, stop_after, teach
from torch import Tensor

from afters.errors import RunFolderError
from afters.model.load import Loaded
from afters.model.network import Pair
from afters.train import checkpoint
from afters.train.loss import mean_loss


class Terminated(BaseException):
    """What the listener before makes of SIGTERM, as the command line does."""


@contextmanager
def listening() -> Iterator[None]:
    def end(number: int, frame: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture(autouse=True, scope="module")
def as_long_as_they_are() -> Iterator[None]:
    """Rows of ten tokens, padded to multiples of 32, would each be a micro-batch of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("afters.model.seq2seq.MULTIPLES", (1, 1))
        yield


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def unbroken(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    loaded, folder = plain(tiny, "t5")(), tmp_path_factory.mktemp("unbroken")
    teach(loaded, folder)
    return ended(loaded, folder)


def before_micro_batch(loaded: Loaded, call: int, do: Callable[[], None]) -> None:
    """Do something before the `call`-th micro-batch that is taught."""
    honest, calls = loaded.network.token_losses, 0

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        nonlocal calls
        calls += loaded.network.module.training
        if calls == call:
            do()
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]


def goes_on(tiny: Tiny, folder: Path, expected: Ended, *, from_step: int) -> None:
    """The newest checkpoint is of that step, and from it the run ends as one that was not stopped."""
    assert checkpoint.saved(folder / "checkpoints")[-1].name == f"step-{from_step:06d}"
    loaded, steps, told = plain(tiny, "t5")(), list[int](), list[str]()
    teach(loaded, folder, on_step=noting(steps), tell=told.append)
    assert steps == list(range(from_step + 1, STEPS + 1))
    assert told == []
    found = ended(loaded, folder)
    if from_step == STEPS:  # a checkpoint that is whole is not written again: what was judged since is in the log alone
        # So what is best by that last word is not in it either: the weights that the run leaves are.
        found = found._replace(progress=expected.progress, checkpoint=expected.checkpoint)
    assert_equal(found, expected)


@pytest.mark.parametrize(("micro_batch", "step"), [(1, 0), (2, 0), (3, 1), (4, 1), (6, 2), (12, 6)])
def test_a_signal_in_a_step_abandons_it_before_the_next_micro_batch(
    tiny: Tiny, tmp_path: Path, unbroken: Ended, micro_batch: int, step: int
) -> None:
    """The trial is cut into two, the first steps into one, two, two, one, one, two and two."""
    loaded, steps = plain(tiny, "t5")(), [0]
    before_micro_batch(loaded, micro_batch, terminate)
    with listening(), pytest.raises(Terminated):
        teach(loaded, tmp_path, on_step=noting(steps))
    assert steps[-1] == step
    goes_on(tiny, tmp_path, unbroken, from_step=step)


@pytest.mark.parametrize("due", [3, 6, 12])
def test_a_signal_while_the_model_is_judged_cuts_that_off_and_it_is_done_again(
    tiny: Tiny, tmp_path: Path, unbroken: Ended, due: int
) -> None:
    loaded = plain(tiny, "t5")()

    def validate(step: int) -> float:
        loss = mean_loss(loaded.network, PAIRS[::5], tokens=100, precision="fp32")
        if step == due:
            terminate()
            pytest.fail("it was not cut off")
        return loss

    with listening(), pytest.raises(Terminated):
        teach(loaded, tmp_path, validate=validate)
    lines = (tmp_path / "steps.jsonl").read_text().splitlines()
    assert len(lines) == due - 1, "the step's line waits for what validation says"
    goes_on(tiny, tmp_path, unbroken, from_step=due)


def test_a_second_signal_while_the_first_one_s_checkpoint_is_written_does_no_harm(
    tiny: Tiny, tmp_path: Path, unbroken: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, sync, syncs = plain(tiny, "t5")(), checkpoint._sync, 0

    def terminated(path: Path) -> None:
        nonlocal syncs
        syncs += 1
        terminate()
        sync(path)

    def from_now_on() -> None:
        terminate()
        monkeypatch.setattr(checkpoint, "_sync", terminated)

    before_micro_batch(loaded, 10, from_now_on)
    with listening(), pytest.raises(Terminated):
        teach(loaded, tmp_path)
    assert syncs > 3
    monkeypatch.undo()
    goes_on(tiny, tmp_path, unbroken, from_step=5)


def test_a_signal_while_a_due_checkpoint_is_written_waits_for_it(
    tiny: Tiny, tmp_path: Path, unbroken: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = checkpoint._sync

    def terminated(path: Path) -> None:
        if "step-000006" in str(path):
            terminate()
        sync(path)

    with monkeypatch.context() as patched, listening(), pytest.raises(Terminated):
        patched.setattr(checkpoint, "_sync", terminated)
        teach(plain(tiny, "t5")(), tmp_path)
    goes_on(tiny, tmp_path, unbroken, from_step=6)


def test_a_signal_after_the_last_step_leaves_only_the_judging_to_do(
    tiny: Tiny, tmp_path: Path, unbroken: Ended
) -> None:
    def on_step(step: int, steps: int, loss: float) -> None:
        if step == steps:
            terminate()

    with listening(), pytest.raises(Terminated):
        teach(plain(tiny, "t5")(), tmp_path, on_step=on_step)
    goes_on(tiny, tmp_path, unbroken, from_step=STEPS)


def test_a_disk_that_is_full_is_told_rather_than_the_signal(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    loaded = plain(tiny, "t5")()
    before_micro_batch(loaded, 3, terminate)
    monkeypatch.setattr(checkpoint, "save_file", full)
    with listening(), pytest.raises(RunFolderError, match="No space left"):
        teach(loaded, tmp_path)


def test_whoever_listened_before_listens_again_afterwards(tiny: Tiny, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped):
        teach(plain(tiny, "t5")(), tmp_path, on_step=stop_after(1))
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_a_model_learns_without_listening(tiny: Tiny, tmp_path: Path) -> None:
    done: list[int] = []
    loaded = plain(tiny, "t5")()
    thread = threading.Thread(target=lambda: done.append(teach(loaded, tmp_path).steps))
    thread.start()
    thread.join()
    assert done == [STEPS]
