"""Two processes that torchrun starts follow one: the same rows, losses, answers, and checkpoints that change hands.

All that two processes have to do is done in one start of them (`two_processes`), since importing torch takes longest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from several_processes import (
    EXAMPLES,
    ROUNDING,
    assert_the_rows_of_one_are_shared_out,
    first_step,
    how_it_ended,
    launched,
    terminate,
)
from tickets import tickets
from tiny_models import Tiny
from tiny_training import PAIRS, STEPS, Stopped, losses_of, newest, plain, same, stop_after, t5, teach
from torch import Tensor

from afters.model.answering import Answerer
from afters.model.load import Loaded, load
from afters.model.network import Pair
from afters.model.parallel import ALONE, Processes, join
from afters.records import Decoding
from afters.train import checkpoint
from afters.train.loss import mean_loss
from afters.train.shares import share_out

pytestmark = pytest.mark.slow


def exact(tiny: Tiny) -> Loaded:
    """In float64, where AdamW does not make a step out of how gradients are rounded."""
    loaded = t5(tiny, dropout=False)
    loaded.network.module.double()
    return loaded


@pytest.fixture(scope="module")
def two(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have done all of `two_processes`, beginning with what one has left there."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(Stopped):
        teach(exact(tiny), folder / "one to two", on_step=stop_after(8))
    done = launched(__file__, str(tiny("t5")), str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def alone(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    teach(exact(tiny), folder)
    return folder


def test_two_follow_the_loss_curve_of_one(two: Path, alone: Path, tiny: Tiny, tmp_path: Path) -> None:
    assert first_step(two / "plain") == pytest.approx(first_step(alone), rel=1e-10)
    assert losses_of(two / "plain") == pytest.approx(losses_of(alone), rel=ROUNDING)
    teach(t5(tiny, dropout=False), tmp_path, learning_rate=1e-4)
    assert losses_of(two / "fp32") == pytest.approx(losses_of(tmp_path), rel=1e-5)


def test_two_see_the_rows_of_one_in_the_same_steps_and_each_its_own(two: Path) -> None:
    assert_the_rows_of_one_are_shared_out(two)


def test_a_run_of_one_is_gone_on_with_by_two_and_the_other_way_round(two: Path, alone: Path, tiny: Tiny) -> None:
    assert losses_of(two / "one to two") == pytest.approx(losses_of(alone), rel=ROUNDING)
    teach(exact(tiny), two / "two to one")
    assert losses_of(two / "two to one") == pytest.approx(losses_of(alone), rel=ROUNDING)


def test_with_dropout_a_stopped_run_of_two_goes_on_bit_for_bit(two: Path) -> None:
    assert losses_of(two / "stopped") == losses_of(two / "whole")
    stopped, whole = newest(two / "stopped"), newest(two / "whole")
    assert all(same(stopped[name], whole[name]) for name in whole)


def test_an_uneven_number_of_batches_is_judged_as_by_one(two: Path, tiny: Tiny) -> None:
    found = json.loads((two / "judged.json").read_text())
    assert found == judged(plain(tiny, "t5")(), ALONE)


def test_who_follows_logs_into_the_void_and_leaves_it_as_it_is(two: Path) -> None:
    assert len(losses_of(two / "plain")) == STEPS
    assert Path(os.devnull).is_char_device()


def test_all_processes_end_with_the_weights_and_the_steps_of_the_first(two: Path) -> None:
    assert json.loads((two / "left.json").read_text()) == [True, True]


def test_a_shortage_in_one_process_makes_both_compute_less(two: Path, alone: Path) -> None:
    assert losses_of(two / "short") == pytest.approx(losses_of(alone), rel=1e-8)
    state = json.loads((checkpoint.saved(two / "short" / "checkpoints")[-1] / "state.json").read_text())
    assert state["progress"]["token_budget"] < 48


def test_a_signal_to_one_process_stops_both_with_a_checkpoint(two: Path) -> None:
    assert json.loads((two / "signalled.json").read_text()) == ["Terminated", "Terminated"]
    assert [place.name for place in checkpoint.saved(two / "signal" / "checkpoints")][-1] == "step-000004"


def test_a_whole_study_under_torchrun_comes_to_the_verdict_of_one_process(tmp_path: Path, tiny: Tiny) -> None:
    words = ("-m", "afters", "run", str(tickets(tmp_path, base=tiny("t5"))))
    done = launched(*words, "--out", str(tmp_path / "two"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report.html") == 1, "only the first process tells"
    alone = subprocess.run(
        [sys.executable, *words, "--out", str(tmp_path / "one")], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 0, alone.stderr
    verdicts = [json.loads((tmp_path / name / "verdict.json").read_text()) for name in ("one", "two")]
    assert [one["verdict"] for one in verdicts[0]["comparisons"]] == [
        one["verdict"] for one in verdicts[1]["comparisons"]
    ]
    again = launched(*words, "--out", str(tmp_path / "two"))
    assert again.returncode == 0, again.stderr


# What the two processes do.


def judged(loaded: Loaded, processes: Processes) -> dict[str, Any]:
    """Ask in batches of an odd number, and compute a loss over them."""
    model = Answerer(loaded, token_budget=60, processes=processes)
    opened, closed = [one for one in EXAMPLES if not one.choices], [one for one in EXAMPLES if one.choices]
    written = [made for batch in model.generate(opened, Decoding(max_new_tokens=5)) for made in batch]
    scored = [made for batch in model.loglikelihood(closed, done={"7"}) for made in batch]
    told = [{**asdict(made), "seconds": 0} for made in [*written, *scored]]
    loss = mean_loss(loaded.network, PAIRS[:5], tokens=20, precision="fp32", processes=processes)
    return {"answers": json.loads(json.dumps(told)), "loss": loss}


def two_processes(base: Path, folder: Path) -> None:
    processes = join()

    def fresh(*, dropout: bool = False) -> Loaded:
        return load(base, precision="fp32", for_training=True) if dropout else exact(lambda kind: base)

    def write(name: str, content: Any) -> None:
        (folder / name).write_text(json.dumps(content))

    learnt = _plain(fresh(), folder, processes)
    left = processes.gathered(learnt)
    if processes.first:
        write("left.json", [one == left[0] for one in left])
    teach(t5(lambda kind: base, dropout=False), folder / "fp32", processes=processes, learning_rate=1e-4)
    teach(fresh(), folder / "one to two", processes=processes)
    for name, dropout in (("two to one", False), ("stopped", True)):
        with pytest.raises(Stopped):
            teach(fresh(dropout=dropout), folder / name, processes=processes, on_step=stop_after(8))
    teach(fresh(dropout=True), folder / "stopped", processes=processes)
    teach(fresh(dropout=True), folder / "whole", processes=processes)
    answered = judged(load(base, precision="fp32", for_training=True), processes)
    if processes.first:
        write("judged.json", answered)
    teach(_short(fresh(), processes), folder / "short", processes=processes)
    ended = processes.gathered(_signalled(fresh(), folder / "signal", processes))
    if processes.first:
        write("signalled.json", ended)
    processes.leave()


def _plain(loaded: Loaded, folder: Path, processes: Processes) -> list[Any]:
    """Teach, note the rows of each step, and return the end."""
    honest, rows, steps = loaded.network.token_losses, list[int](), list[list[int]]()

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if loaded.network.module.training:
            rows.extend(PAIRS.index(pair) for pair in pairs)
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]

    def on_step(step: int, steps_in_all: int, loss: float) -> None:
        steps.append(rows[trial if step == 1 else 0 :])
        rows.clear()

    longest = sorted(PAIRS, key=lambda pair: -len(pair.prompt) - len(pair.answer))[:4]
    trial = len(share_out(longest, processes=processes.count)[processes.rank])
    told = teach(loaded, folder / "plain", processes=processes, on_step=on_step)
    (folder / f"seen-{processes.rank}.json").write_text(json.dumps(steps))
    sums = [float(weight.double().sum()) for weight in loaded.network.module.parameters()]
    return [told.steps, told.best_step, sums]


def _short(loaded: Loaded, processes: Processes) -> Loaded:
    """Let the second process run out of memory above a few tokens."""
    honest = loaded.network.token_losses

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if loaded.network.module.training and processes.rank == 1 and len(pairs) > 1:
            raise MemoryError
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]
    return loaded


def _signalled(loaded: Loaded, folder: Path, processes: Processes) -> str:
    """Send one process SIGTERM after step 4, and tell how this one ended."""

    def on_step(step: int, steps: int, loss: float) -> None:
        if step == 4 and processes.rank == 1:
            terminate()

    return how_it_ended(lambda: teach(loaded, folder, processes=processes, on_step=on_step))


if __name__ == "__main__":
    two_processes(Path(sys.argv[1]), Path(sys.argv[2]))
