"""A run that was stopped anywhere and started again ends as one that was not: bit for bit, with dropout on."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import Kind, Tiny
from tiny_training import (
    STEPS,
    Ended,
    Load,
    Stopped,
    assert_equal,
    ended,
    losses_of,
    noting,
    plain,
    same,
    stop_after,
    teach,
    weights_of,
)

from afters.errors import RunFolderError
from afters.model.load import Loaded, load
from afters.study.teaching import prepare
from afters.train import checkpoint
from afters.train.settings import TrainSettings


def with_adapter(tiny: Tiny, method: str) -> Load:
    """DoRA on every layer, IA3 where peft knows, and LoRA on the head too, which is tied to the embeddings."""

    def loaded() -> Loaded:
        made = load(tiny("t5"), precision="fp32", for_training=True)
        tables: dict[str, Any] = {
            "lora": {"lora": {"rank": 2, "dropout": 0.1, "targets": ["q", "lm_head"]}},
            "prefix": {"virtual": {"tokens": 3, "hidden": 4}},
        }
        settings = tables.get(method, {})
        prepare(made.network.module, TrainSettings.model_validate({"method": method, **settings}), seed=1)
        return made

    return loaded


ADAFACTOR: dict[str, Any] = {"optimizer": "adafactor", "learning_rate": 0.05, "schedule": "inverse_sqrt"}

SETTINGS: dict[str, dict[str, Any]] = {"adafactor": ADAFACTOR, "l2_sp": {"l2_sp": 20.0}}

METHODS = {
    **{"lora": "lora_", "rslora": "lora_", "dora": "lora_", "ia3": "ia3_"},
    **{"prompt": "virtual.", "prefix": "virtual."},
}
"""Each with what the names of its weights have in common."""

Unbroken = Callable[[str], Ended]


@pytest.fixture(scope="module")
def unbroken(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Unbroken:
    """Tell how a run through ends, by what is taught; each is made once."""

    @cache
    def run(name: str) -> Ended:
        loaded, folder = loader(tiny, name)(), tmp_path_factory.mktemp("unbroken")
        teach(loaded, folder, **SETTINGS.get(name, {}))
        return ended(loaded, folder)

    return run


def loader(tiny: Tiny, name: str) -> Load:
    return with_adapter(tiny, name) if name in METHODS else plain(tiny, "llama" if name == "llama" else "t5")


@pytest.mark.parametrize(("kind", "stops"), [("t5", range(1, STEPS + 1)), ("llama", (2, 6, 11))])
def test_a_run_stopped_at_any_step_ends_as_one_that_was_not(
    tiny: Tiny, kind: Kind, stops: Sequence[int], unbroken: Unbroken, tmp_path: Path
) -> None:
    load_it = plain(tiny, kind)
    expected = unbroken(kind)
    assert len(expected.losses) == STEPS
    for step in stops:
        folder = tmp_path / str(step)
        with pytest.raises(Stopped):
            teach(load_it(), folder, on_step=stop_after(step))
        steps, loaded = list[int](), load_it()
        torch.manual_seed(step)  # what else the process draws must not matter
        teach(loaded, folder, on_step=noting(steps))
        assert steps == list(range((step - 1) // 3 * 3 + 1, STEPS + 1)), "it goes on from the checkpoint before"
        assert_equal(ended(loaded, folder), expected)


FAST = ("lora", "prefix")


@pytest.mark.parametrize(
    "method", [one if one in FAST else pytest.param(one, marks=pytest.mark.slow) for one in METHODS]
)
def test_an_adapter_goes_on_where_it_stopped(tiny: Tiny, method: str, unbroken: Unbroken, tmp_path: Path) -> None:
    """In other trainers a resumed run has dropped the adapter without a word."""
    load_it = with_adapter(tiny, method)
    expected = unbroken(method)
    assert all(METHODS[method] in name for name in expected.checkpoint["weights.safetensors"])
    for step in (2, 7):
        with pytest.raises(Stopped):
            teach(load_it(), tmp_path / str(step), on_step=stop_after(step))
        loaded = load_it()
        teach(loaded, tmp_path / str(step))
        assert_equal(ended(loaded, tmp_path / str(step)), expected)


def test_adafactor_goes_on_where_it_stopped(tiny: Tiny, unbroken: Unbroken, tmp_path: Path) -> None:
    load_it = plain(tiny, "t5")
    expected = unbroken("adafactor")
    assert any(key.startswith("exp_avg_sq_row.") for key in expected.checkpoint["optimizer.safetensors"])
    for step in (4, 11):
        with pytest.raises(Stopped):
            teach(load_it(), tmp_path / str(step), on_step=stop_after(step), **ADAFACTOR)
        loaded = load_it()
        teach(loaded, tmp_path / str(step), **ADAFACTOR)
        assert_equal(ended(loaded, tmp_path / str(step)), expected)


def test_what_is_pulled_back_goes_back_to_the_base_and_not_to_where_it_stopped(
    tiny: Tiny, unbroken: Unbroken, tmp_path: Path
) -> None:
    load_it = plain(tiny, "t5")
    with pytest.raises(Stopped):
        teach(load_it(), tmp_path, on_step=stop_after(7), **SETTINGS["l2_sp"])
    loaded = load_it()
    teach(loaded, tmp_path, **SETTINGS["l2_sp"])
    assert_equal(ended(loaded, tmp_path), unbroken("l2_sp"))


def test_a_run_stopped_again_and_again_still_arrives(tiny: Tiny, unbroken: Unbroken, tmp_path: Path) -> None:
    load_it = plain(tiny, "t5")
    for step in (2, 4, 5, 8, 12):
        with pytest.raises(Stopped):
            teach(load_it(), tmp_path, on_step=stop_after(step))
    loaded = load_it()
    teach(loaded, tmp_path)
    assert_equal(ended(loaded, tmp_path), unbroken("t5"))


def test_a_run_that_is_done_is_not_run_again(tiny: Tiny, tmp_path: Path) -> None:
    first, second = plain(tiny, "t5")(), plain(tiny, "t5")()
    told = teach(first, tmp_path)
    assert teach(second, tmp_path, on_step=stop_after(0), validate=lambda step: 1 / 0) == told
    assert same(weights_of(first), weights_of(second))


# What a disk can do


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def raise_a_digit(path: Path) -> None:
    """One bit, and still JSON: the step is another one."""
    text = path.read_text()
    assert '"step": 6' in text
    path.write_text(text.replace('"step": 6', '"step": 7', 1))


def write_a_list(path: Path) -> None:
    path.write_text("[]")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a bit of the weights": lambda place: flip(place / "weights.safetensors"),
    "a bit of the moments": lambda place: flip(place / "optimizer.safetensors"),
    "a bit of the best weights": lambda place: flip(place / "best.safetensors"),
    "half of the weights": lambda place: os.truncate(place / "weights.safetensors", 900),
    "no weights": lambda place: (place / "weights.safetensors").unlink(),
    "a digit of the state": lambda place: raise_a_digit(place / "state.json"),
    "half of the state": lambda place: os.truncate(place / "state.json", 40),
    "a state that is a list": lambda place: write_a_list(place / "state.json"),
}

NAMED = {
    "a bit of the weights": "weights.safetensors is not what was written",
    "a bit of the moments": "optimizer.safetensors is not what was written",
    "a bit of the best weights": "best.safetensors is not what was written",
    "half of the weights": "weights.safetensors is not what was written",
    "no weights": "weights.safetensors cannot be read (No such file",
    "a digit of the state": "state.json is not what was written",
    "half of the state": "state.json cannot be read",
    "a state that is a list": "state.json cannot be read",
}
"""What the user is told of each."""


@pytest.mark.parametrize("damage", DAMAGES)
def test_from_a_damaged_checkpoint_the_run_falls_back_to_the_one_before(
    tiny: Tiny, damage: str, unbroken: Unbroken, tmp_path: Path
) -> None:
    load_it = plain(tiny, "t5")
    with pytest.raises(Stopped):
        teach(load_it(), tmp_path, on_step=stop_after(8))
    before, last = checkpoint.saved(tmp_path / "checkpoints")
    assert (before.name, last.name) == ("step-000003", "step-000006")
    DAMAGES[damage](last)
    steps, told = list[int](), list[str]()
    loaded = load_it()
    teach(loaded, tmp_path, on_step=noting(steps), tell=told.append)
    assert steps[0] == 4
    assert told[0].startswith(f"checkpoint step-000006 is damaged: {NAMED[damage]}")
    assert told[1:] == ["training goes on from step-000003, the last checkpoint that is whole"]
    assert_equal(ended(loaded, tmp_path), unbroken("t5"))


def test_with_every_checkpoint_damaged_the_run_begins_again(tiny: Tiny, unbroken: Unbroken, tmp_path: Path) -> None:
    load_it = plain(tiny, "t5")
    with pytest.raises(Stopped):
        teach(load_it(), tmp_path, on_step=stop_after(8))
    for place in checkpoint.saved(tmp_path / "checkpoints"):
        flip(place / "weights.safetensors")
    loaded, told = load_it(), list[str]()
    teach(loaded, tmp_path, tell=told.append)
    assert_equal(ended(loaded, tmp_path), unbroken("t5"))
    assert [line.split(":")[0] for line in told] == [
        "checkpoint step-000006 is damaged",
        "checkpoint step-000003 is damaged",
        "no checkpoint is whole",
    ]


@pytest.mark.parametrize("call", range(1, 7))
def test_a_checkpoint_interrupted_at_any_moment_is_as_if_it_had_not_been_begun(
    tiny: Tiny, call: int, unbroken: Unbroken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second checkpoint stops before its 1st, 2nd, … file reaches the disk, and last after the rename."""
    load_it, syncs, sync = plain(tiny, "t5"), 0, checkpoint._sync

    def failing(path: Path) -> None:
        nonlocal syncs
        syncs += "step-000006" in str(path) or (path.name == "checkpoints" and (path / "step-000006").is_dir())
        if syncs == call:
            raise Stopped
        sync(path)

    with monkeypatch.context() as patched, pytest.raises(Stopped):
        patched.setattr(checkpoint, "_sync", failing)
        teach(load_it(), tmp_path, on_step=stop_after(8))
    loaded = load_it()
    teach(loaded, tmp_path)
    assert_equal(ended(loaded, tmp_path), unbroken("t5"))
    assert not list((tmp_path / "checkpoints").glob(".draft-*"))


def test_a_half_written_draft_is_ignored_and_removed(tiny: Tiny, unbroken: Unbroken, tmp_path: Path) -> None:
    load_it, draft = plain(tiny, "t5"), tmp_path / "checkpoints" / ".draft-step-000099"
    draft.mkdir(parents=True)
    (draft / "weights.safetensors").write_bytes(b"half")
    loaded = load_it()
    teach(loaded, tmp_path)
    assert_equal(ended(loaded, tmp_path), unbroken("t5"))
    assert not draft.exists()


def test_the_log_of_an_interrupted_run_has_no_line_twice_and_no_half_line(tiny: Tiny, tmp_path: Path) -> None:
    load_it = plain(tiny, "t5")
    with pytest.raises(Stopped):
        teach(load_it(), tmp_path, on_step=stop_after(5))
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 5, "lo')
    teach(load_it(), tmp_path)
    assert len(losses_of(tmp_path)) == STEPS


def test_only_the_two_newest_checkpoints_are_kept_by_number_not_by_spelling(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight])
    for step in (999_998, 999_999, 1_000_000):
        progress = checkpoint.Progress(step=step)
        contents = checkpoint.gather(weights={"w": weight}, optimizer=optimizer)
        checkpoint.save(tmp_path, progress, contents, best=None)
    assert [place.name for place in checkpoint.saved(tmp_path)] == ["step-999999", "step-1000000"]


def test_a_checkpoint_of_another_model_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    teach(plain(tiny, "t5")(), tmp_path)
    with pytest.raises(RunFolderError, match="of another model"):
        teach(plain(tiny, "llama")(), tmp_path)
