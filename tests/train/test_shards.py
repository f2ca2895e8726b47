"""Two processes with half a model each follow one with all of it.

All that two processes have to do is done in one start of them (`two_processes`), since importing torch takes longest.
The first word of a folder is the kind of model, in float64 unless it says so.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from several_processes import (
    EXAMPLES,
    ROUNDING,
    assert_the_rows_of_one_are_shared_out,
    how_it_ended,
    launched,
    terminate,
)
from tickets import tickets
from tiny_models import Kind, Tiny
from tiny_training import PAIRS, HalfSoft, Stopped, losses_of, newest, same, stop_after, teach
from torch import Tensor

from afters.errors import SettingsError
from afters.model import adapters
from afters.model.answering import Answerer
from afters.model.frozen import freeze
from afters.model.load import Loaded, load
from afters.model.network import Network, Pair
from afters.model.parallel import ALONE, Processes, join
from afters.model.recompute import recompute
from afters.model.shards import shard, whole
from afters.records import Decoding
from afters.study.settings import Study
from afters.study.start import check_shards
from afters.train import checkpoint
from afters.train.shares import share_out

LIKE_ONE: dict[str, dict[str, Any]] = {
    "t5": {},
    "llama": {},
    "t5 lora": {},
    "llama lora": {},
    "t5 recompute": {},
    "llama adafactor": {"optimizer": "adafactor"},
    "llama scaled": {"scale_parameter": True, "weight_decay": 0.1, "l2_sp": 2.0},
    # One of the two processes has no row.
    "t5 one row": {"batch_rows": 1, "epochs": 0.5},
    # One has more micro-batches than the other.
    "llama narrow": {"batch_rows": 3, "epochs": 1, "token_budget": 16},
    # One may hold rows to a base where the other teaches tokens, or has nothing left to do.
    "t5 soft": {"lessons": HalfSoft(PAIRS)},
    "llama soft": {"lessons": HalfSoft(PAIRS), "batch_rows": 3, "epochs": 1, "token_budget": 16},
}
"""Runs that go alike in one process and in two, and their settings."""


def test_one_process_has_nobody_to_share_with(tmp_path: Path, tiny: Tiny) -> None:
    study = str(tickets(tmp_path, base=tiny("t5")))
    ended = subprocess.run(
        [sys.executable, "-m", "afters", "run", study, "--shard"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "--shard: one process has nobody to share the model with" in ended.stderr and "torchrun" in ended.stderr


def test_a_base_in_four_bits_is_not_cut() -> None:
    study = Study.model_validate({"name": "s", "task": [TASK], "model": {"quantised": "4bit"}, "train": LORA})
    with pytest.raises(SettingsError, match="4 bits"):
        check_shards(study, processes=2)


def test_a_model_without_layers_is_not_cut() -> None:
    class Bare:
        module = torch.nn.Linear(2, 2)

    network: Network = Bare()  # type: ignore[assignment]
    with pytest.raises(SettingsError, match="no layer of Linear"):
        shard(network, processes=Processes(0, 2))


TASK = {"name": "t", "source": "t.csv", "wordings": ["{{ q }}"], "answer": "{{ a }}", "metrics": ["exact_match"]}

LORA = {"method": "lora"}


def exact(tiny: Tiny, name: str, *, dropout: bool = False) -> Loaded:
    """The model of a run of that name."""
    kind, *more = name.split()
    loaded = load(tiny(kind), precision="fp32", for_training=True)  # type: ignore[arg-type]
    module = loaded.network.module
    if "lora" in more:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            adapters.wrap(module, rank=3, alpha=8, dropout=0.0, targets=["all-linear"])
    if "recompute" in more:
        recompute(module)
    for part in module.modules() if not dropout else ():
        for rate in ("p", "dropout", "attention_dropout"):
            if isinstance(getattr(part, rate, None), float):
                setattr(part, rate, 0.0)
    if "fp32" not in more:
        # AdamW does not make a step there out of how gradients are rounded.
        module.double()
    return loaded


def held_to(tiny: Tiny, name: str) -> Network | None:
    """What soft rows of a run of that name are held to: another model, or their gradients would begin as rounding."""
    if "soft" not in name:
        return None
    base = exact(tiny, name).network
    base.module.eval()
    with torch.no_grad():
        for weight in base.module.parameters():
            weight.mul_(1.1)
    return base


@pytest.fixture(scope="module")
def two(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have done all of `two_processes`, beginning with what one has left there."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.raises(Stopped):
        teach(exact(tiny, "llama"), folder / "one to two", on_step=stop_after(8))
    for kind in ("t5", "llama", "qwen2"):
        (folder / kind).symlink_to(tiny(kind))
    done = launched(__file__, str(folder))
    assert done.returncode == 0, done.stderr
    assert "FSDP" not in done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", LIKE_ONE)
def test_two_follow_the_loss_curve_of_one_and_end_with_its_weights(
    two: Path, tiny: Tiny, tmp_path: Path, name: str
) -> None:
    loaded = exact(tiny, name)
    teach(loaded, tmp_path, base=held_to(tiny, name), **LIKE_ONE[name])
    # From 1e-16 in the first step to 2e-9 in the last, in one process too, where its steps are cut otherwise.
    rounding = 1e-8 if name == "t5 soft" else ROUNDING
    assert losses_of(two / f"{name} run") == pytest.approx(losses_of(tmp_path), rel=rounding)
    shared_out, alone = newest(two / f"{name} run"), newest(tmp_path)
    assert {file: tensors.keys() for file, tensors in shared_out.items()} == {
        file: tensors.keys() for file, tensors in alone.items()
    }
    left = json.loads((two / f"{name}.json").read_text())
    assert left == pytest.approx(sums(loaded), rel=1e-8)


@pytest.mark.slow
def test_in_fp32_they_part_by_rounding_alone(two: Path, tiny: Tiny, tmp_path: Path) -> None:
    teach(exact(tiny, "t5 fp32"), tmp_path, learning_rate=1e-4)
    assert losses_of(two / "t5 fp32 run") == pytest.approx(losses_of(tmp_path), rel=1e-5)


@pytest.mark.slow
def test_two_see_the_rows_of_one_in_the_same_steps_and_each_its_own(two: Path) -> None:
    assert_the_rows_of_one_are_shared_out(two)


@pytest.mark.slow
def test_a_run_of_one_is_gone_on_with_by_two_and_the_other_way_round(two: Path, tiny: Tiny, tmp_path: Path) -> None:
    teach(exact(tiny, "llama"), tmp_path)
    assert losses_of(two / "one to two") == pytest.approx(losses_of(tmp_path), rel=ROUNDING)
    teach(exact(tiny, "llama"), two / "two to one")
    assert losses_of(two / "two to one") == pytest.approx(losses_of(tmp_path), rel=ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t5", "llama adafactor"])
def test_with_dropout_a_stopped_run_of_two_goes_on_bit_for_bit(two: Path, name: str) -> None:
    assert losses_of(two / f"{name} stopped") == losses_of(two / f"{name} whole")
    stopped, unbroken = newest(two / f"{name} stopped"), newest(two / f"{name} whole")
    assert all(same(stopped[file], unbroken[file]) for file in unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_answers_in_uneven_shares_while_it_learns_are_those_of_one(
    two: Path, tiny: Tiny, tmp_path: Path, kind: Kind
) -> None:
    answers: list[Any] = []
    loaded = exact(tiny, kind)
    teach(loaded, tmp_path, validate=asking(loaded, answers, ALONE), higher_is_better=True)
    assert len(answers) == 4
    assert json.loads((two / f"{kind} asked.json").read_text()) == answers
    assert losses_of(two / f"{kind} asked") == pytest.approx(losses_of(tmp_path), rel=ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize(("when", "step"), [("learning", 4), ("judging", 6)])
def test_a_signal_leaves_a_checkpoint_from_which_one_goes_on(
    two: Path, tiny: Tiny, tmp_path: Path, when: str, step: int
) -> None:
    folder = two / f"signal while {when}"
    assert json.loads((two / f"{when}.json").read_text()) == ["Terminated", "Terminated"]
    assert checkpoint.saved(folder / "checkpoints")[-1].name == f"step-{step:06d}"
    teach(exact(tiny, "t5"), folder)
    teach(exact(tiny, "t5"), tmp_path)
    assert losses_of(folder) == pytest.approx(losses_of(tmp_path), rel=ROUNDING)


@pytest.mark.slow
def test_a_model_of_which_only_the_head_learns_is_refused(two: Path) -> None:
    assert "nothing learns up to the last layer" in (two / "refused.txt").read_text()


@pytest.mark.slow
def test_memory_that_runs_out_in_one_is_told_once_and_the_other_does_not_wait(tmp_path: Path, tiny: Tiny) -> None:
    (tmp_path / "t5").symlink_to(tiny("t5"))
    ended = launched(__file__, str(tmp_path), "short")
    assert ended.returncode != 0
    assert ended.stderr.count("SettingsError: [train] token_budget: memory ran out") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "changes"), [("t5", []), ("llama", ["train.method=lora", "train.merge=true", "model.precision=bf16"])]
)
def test_a_whole_study_in_shards_comes_to_the_verdict_of_one_process(
    tmp_path: Path, tiny: Tiny, kind: Kind, changes: list[str]
) -> None:
    study = str(tickets(tmp_path, base=tiny(kind)))
    words = ("-m", "afters", "run", study, *(word for change in changes for word in ("--set", change)))
    done = launched(*words, "--out", str(tmp_path / "two"), "--shard")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report.html") == 1, "only the first process tells"
    alone = subprocess.run(
        [sys.executable, *words, "--out", str(tmp_path / "one")], capture_output=True, text=True, check=False
    )
    assert alone.returncode == 0, alone.stderr
    one, both = (json.loads((tmp_path / name / "verdict.json").read_text()) for name in ("one", "two"))
    assert [made["verdict"] for made in one["comparisons"]] == [made["verdict"] for made in both["comparisons"]]
    configs = [json.loads((tmp_path / name / "model" / "config.json").read_text()) for name in ("one", "two")]
    assert configs[0] == configs[1]
    plans = [json.loads((tmp_path / name / "train" / "memory.json").read_text()) for name in ("one", "two")]
    assert [plans[1][part] for part in ("weights", "optimizer")] == [
        plans[0][part] // 2 for part in ("weights", "optimizer")
    ]


# What the two processes do.


class Two(NamedTuple):
    folder: Path
    processes: Processes

    def tiny(self, kind: Kind) -> Path:
        return self.folder / kind

    def write(self, name: str, content: Any) -> None:
        if self.processes.first:
            (self.folder / name).write_text(json.dumps(content))

    def teach(self, name: str, to: str, *, loaded: Loaded | None = None, dropout: bool = False, **settings: Any) -> Any:
        loaded = loaded or exact(self.tiny, name, dropout=dropout)
        shards = shard(loaded.network, processes=self.processes)
        return teach(loaded, self.folder / to, processes=shards, **settings)


def sums(loaded: Loaded) -> list[float]:
    """Return the size of each weight that learns."""
    learning = [weight for weight in loaded.network.module.parameters() if weight.requires_grad]
    return [float(whole(weight.detach()).abs().sum()) for weight in learning]


def asking(loaded: Loaded, answers: list[Any], processes: Processes) -> Callable[[int], float]:
    """Judge by what is written, in batches of an odd number."""

    def validate(step: int) -> float:
        model = Answerer(loaded, token_budget=60, processes=processes)
        opened = [one for one in EXAMPLES if not one.choices]
        written = [made for batch in model.generate(opened, Decoding(max_new_tokens=5)) for made in batch]
        answers.append([list(made.answers) for made in written])
        return sum(made.new_tokens for made in written) / step

    return validate


def two_processes(folder: Path) -> None:
    two = Two(folder, join())
    for name, settings in LIKE_ONE.items():
        loaded = exact(two.tiny, name)
        two.teach(name, f"{name} run", loaded=loaded, base=held_to(two.tiny, name), **settings)
        two.write(f"{name}.json", sums(loaded))
    _seen(two)
    two.teach("t5 fp32", "t5 fp32 run", learning_rate=1e-4)
    two.teach("llama", "one to two")
    with pytest.raises(Stopped):
        two.teach("llama", "two to one", on_step=stop_after(8))
    for name in ("t5", "llama adafactor"):
        settings = {**LIKE_ONE[name], "dropout": True}
        with pytest.raises(Stopped):
            two.teach(name, f"{name} stopped", on_step=stop_after(8), **settings)
        two.teach(name, f"{name} stopped", **settings)
        two.teach(name, f"{name} whole", **settings)
    for kind in ("t5", "llama"):
        loaded, answers = exact(two.tiny, kind), list[Any]()
        validate = asking(loaded, answers, two.processes)
        two.teach(kind, f"{kind} asked", loaded=loaded, validate=validate, higher_is_better=True)
        two.write(f"{kind} asked.json", answers)
    _signalled(two)
    loaded = exact(two.tiny, "qwen2")
    freeze(loaded.network.module, parts=["model"])
    with pytest.raises(SettingsError) as caught:
        shard(loaded.network, processes=two.processes)
    (folder / "refused.txt").write_text(str(caught.value))
    two.processes.leave()


def _noted(loaded: Loaded, rows: list[int]) -> Loaded:
    """Note the rows that a process computes; what it computes idly is none."""
    honest = loaded.network.token_losses

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        if loaded.network.module.training:
            rows.extend(PAIRS.index(pair) for pair in pairs if pair in PAIRS)
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]
    return loaded


def _seen(two: Two) -> None:
    """Note which rows each process computes in each step."""
    rows, steps = list[int](), list[list[int]]()
    longest = sorted(PAIRS, key=lambda pair: -len(pair.prompt) - len(pair.answer))[:4]
    trial = len(share_out(longest, processes=2)[two.processes.rank])

    def on_step(step: int, steps_in_all: int, loss: float) -> None:
        steps.append(rows[trial if step == 1 else 0 :])
        rows.clear()

    two.teach("t5", "seen", loaded=_noted(exact(two.tiny, "t5"), rows), on_step=on_step)
    (two.folder / f"seen-{two.processes.rank}.json").write_text(json.dumps(steps))


def _signalled(two: Two) -> None:
    """Send one process SIGTERM after step 4; in another run both, while they judge."""

    def on_step(step: int, steps: int, loss: float) -> None:
        if step == 4 and two.processes.rank == 1:
            terminate()

    def validate(step: int) -> float:
        if step == 6:
            terminate()
        return float(step)

    learning = how_it_ended(lambda: two.teach("t5", "signal while learning", on_step=on_step))
    two.write("learning.json", two.processes.gathered(learning))
    judging = how_it_ended(lambda: two.teach("t5", "signal while judging", validate=validate))
    two.write("judging.json", two.processes.gathered(judging))


def short_of_memory(folder: Path) -> None:
    """Let the second process run out of memory in the third step."""
    two = Two(folder, join())
    loaded = exact(two.tiny, "t5")
    honest, calls = loaded.network.token_losses, 0

    def token_losses(pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 9 and two.processes.rank == 1:
            raise MemoryError
        return honest(pairs, smoothing=smoothing)

    loaded.network.token_losses = token_losses  # type: ignore[method-assign]
    two.teach("t5", "short", loaded=loaded)


if __name__ == "__main__":
    (short_of_memory if sys.argv[2:] else two_processes)(Path(sys.argv[1]))
