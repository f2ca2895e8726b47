"""What [train] asks for, from the settings to the model that is left; nobody is asked anything."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tickets import Listener
from tiny_models import Tiny

from afters.config import study_of
from afters.errors import ModelError, Problems
from afters.metrics.table import metric_for
from afters.model import files
from afters.model.network import NoNumber
from afters.model.parallel import ALONE
from afters.runfolder import RunFolder
from afters.study import teaching
from afters.study.asking import base_model, tuned_model
from afters.study.run import _open
from afters.study.settings import Study
from afters.study.teaching import teach, training_key
from afters.study.work import Silent, Work

TEAMS = ("billing", "delivery", "repairs")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with tickets.csv: thirty messages, each for one of three teams."""
    lines = [f"Message {number} about {TEAMS[number % 3]},{TEAMS[number % 3]}" for number in range(30)]
    (tmp_path / "tickets.csv").write_text("\n".join(["message,team", *lines]))
    return tmp_path


def study(base: Path, train: dict[str, Any], *, answer: str = "{{ team }}") -> Study:
    task = {
        **{"name": "tickets", "source": "tickets.csv", "wordings": ["Which team? {{ message }}"], "answer": answer},
        **{"fractions": {"train": 0.6, "validation": 0.2, "test": 0.2}, "metrics": ["exact_match"]},
    }
    quick = {"epochs": 1, "batch_rows": 6, "learning_rate": 0.01, "validations": 1, "keep_best_by": "loss", **train}
    model = {"base": str(base), "precision": "fp32"}
    return study_of({"name": "tickets", "seed": 3, "model": model, "task": [task], "train": quick})


def opened(chosen: Study, rows: Path, *, out: str = "run", tell: Silent | None = None) -> Work:
    return _open(chosen, RunFolder(rows / out), ALONE, files_in=rows, strict=False, tell=tell or Silent())


def test_what_does_not_fit_the_model_is_refused_before_any_work_with_all_else(rows: Path, tiny: Tiny) -> None:
    wrong = study(tiny("t5"), {"frozen": ["encodr"], "gradient_checkpointing": True}, answer="{{ tem }}")
    with pytest.raises(Problems) as caught:
        opened(wrong, rows)
    assert "did you mean 'encoder'?" in str(caught.value) and "tem" in str(caught.value)
    assert not (rows / "run").exists()


def test_frozen_parts_stay_in_the_model_that_is_left_and_the_share_that_learns_is_told(rows: Path, tiny: Tiny) -> None:
    listener, train = Listener(), {"frozen": ["encoder", "shared"], "gradient_checkpointing": True}
    teach(opened(study(tiny("t5"), train), rows, tell=listener))
    before, after = (load_file(folder / "model.safetensors") for folder in (tiny("t5"), rows / "run" / "model"))
    stayed = {name for name, weight in after.items() if torch.equal(weight, before[name])}
    assert stayed == {name for name in before if name.startswith(("encoder.", "shared."))}
    learning = sum(weight.numel() for name, weight in before.items() if name not in stayed)
    (told,) = (text for text in listener.said if text.startswith("teaching"))
    assert told.startswith(f"teaching {learning:,} of {sum(weight.numel() for weight in before.values()):,} weights")


@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "ia3"])
def test_an_adapter_is_left_with_what_it_was_made_for_or_merged_to_a_model_that_answers_the_same(
    rows: Path, tiny: Tiny, method: str
) -> None:
    """Both runs are one but for `merge`."""
    answers, pairs = [], []
    for merge in (False, True):
        work = opened(
            study(tiny("llama"), {"method": method, "merge": merge, "learning_rate": 0.1}), rows, out=str(merge)
        )
        teach(work)
        model = work.folder.model
        assert (model / "adapter_config.json").is_file() != merge and (model / "config.json").is_file() == merge
        asked = tuned_model(work)
        answers.append(
            [one.answers for batch in asked.generate(work.tasks[0].test, work.study.decoding) for one in batch]
        )
        pairs.append(asked.identity["adapter"] == "none")
    assert answers[0] == answers[1] and pairs == [False, True]
    told = json.loads((rows / "False" / "model" / "base.json").read_text())
    assert told == {"name": str(tiny("llama")), "weights": files.weights_hash(tiny("llama"))}


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_virtual_tokens_are_left_as_an_adapter_and_asked_with_the_base(rows: Path, tiny: Tiny, method: str) -> None:
    listener, train = Listener(), {"method": method, "learning_rate": 0.3, "virtual": {"tokens": 3}}
    work = opened(study(tiny("t5"), train), rows, tell=listener)
    teach(work)
    assert (work.folder.model / "adapter_model.safetensors").is_file()
    (told,) = (text for text in listener.said if text.startswith("teaching"))
    assert told.startswith(f"teaching {3 * 16 * (1 if method == 'prompt' else 4)} of ")
    texts = []
    for asked in (tuned_model(work), base_model(work)):
        answers = [one for batch in asked.generate(work.tasks[0].test, work.study.decoding) for one in batch]
        texts.append([one.answers for one in answers])
    assert texts[0] != texts[1]


def test_an_adapter_s_wrong_layers_are_refused_before_any_work(rows: Path, tiny: Tiny) -> None:
    wrong = {"method": "dora", "lora": {"targets": ["q_proj", "v_prj"]}}
    with pytest.raises(ModelError, match=r"unknown layer 'v_prj'; did you mean 'v_proj'\?"):
        opened(study(tiny("llama"), wrong), rows)
    assert not (rows / "run").exists()


def test_an_adapter_put_on_a_base_that_has_changed_is_refused(rows: Path, tiny: Tiny) -> None:
    shutil.copytree(tiny("llama"), rows / "base")
    work = opened(study(rows / "base", {"method": "lora"}), rows)
    teach(work)
    weights = load_file(rows / "base" / "model.safetensors")
    save_file(
        {name: one * 1.01 for name, one in weights.items()}, rows / "base" / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(ModelError, match="made for another base"):
        tuned_model(work)


def test_what_decides_the_tuned_weights_is_held_against_the_run_folder(rows: Path, tiny: Tiny) -> None:
    """With shots among the taught rows, the limit of a prompt decides which fit."""
    chosen = study(tiny("t5"), {})
    plain = chosen.plain()

    def key(**changes: Any) -> dict[str, str]:
        return training_key(opened(study_of({**plain, **changes}), rows))

    of_one = key()
    limit = key(model={**plain["model"], "max_prompt_tokens": 60})
    assert {name for name in of_one if of_one[name] != limit[name]} == {"max_prompt_tokens"}
    [task] = plain["task"]
    first = {**task, "metrics": ["rouge"], "primary": "rouge1"}
    stemless = key(task=[{**first, "stem": False}])
    assert {name for name, told in key(task=[first]).items() if stemless[name] != told} == {"primary score"}


def test_the_best_of_several_tasks_is_chosen_on_one_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of exact match, from 0 to 1, and BLEU, from 0 to 100, BLEU alone would decide."""
    seen = {"exact_match": [0.95, 0.05], "bleu": [20.0, 22.0]}
    tasks = [
        SimpleNamespace(name=name, validation=[0], decoding=None, primary=name, primary_metric=metric_for(name))
        for name in seen
    ]

    def judged(model: Any, rows: Any, *, label: str, metrics: Any, **_: Any) -> Any:
        value = seen[metrics[0].name][int(label.removeprefix("step "))]
        return SimpleNamespace(score=lambda name: SimpleNamespace(value=value))

    monkeypatch.setattr(teaching, "evaluate", judged)
    monkeypatch.setattr(teaching, "Answerer", lambda *loaded, **options: None)
    loaded = SimpleNamespace(device=torch.device("cpu"), precision="fp32")

    def validated(of: list[SimpleNamespace]) -> list[float]:
        work = SimpleNamespace(tasks=of, study=SimpleNamespace(decoding=None), processes=None)
        return [teaching._by_primary(work, loaded)(step) for step in (0, 1)]  # type: ignore[arg-type]

    assert validated(tasks) == pytest.approx([(0.95 + 0.20) / 2, (0.05 + 0.22) / 2])
    assert validated(tasks[1:]) == [20.0, 22.0]

    def spoilt(*_: Any, **__: Any) -> Any:
        raise NoNumber("NaN")

    monkeypatch.setattr(teaching, "evaluate", spoilt)
    assert all(map(math.isnan, validated(tasks))), "the best step before it is kept, and the run goes on"
