"""Any model is asked a study's judging rows; what is left can be compared, and is asked once."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from serving import Asked, FakeServer, Said, serving
from tickets import Listener
from tiny_models import Tiny

from afters.config import study_of
from afters.errors import InputError, ModelError, RunFolderError, SettingsError
from afters.model.address import KEYS
from afters.runfolder import RunFolder
from afters.sides.compare import compare_sides
from afters.study.judging import judge, place_for
from afters.study.run import run
from afters.study.settings import Study

KEY = "sk-very-secret-1234567890"
TEAMS = ("billing", "delivery", "repairs")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A folder with tickets.csv: two hundred messages, each for one of three teams."""
    with (tmp_path / "tickets.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["message", "team"])
        writer.writerows([f"Message {number} about {TEAMS[number % 3]}", TEAMS[number % 3]] for number in range(200))
    return tmp_path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A server that routes messages right, but for one team."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    made = FakeServer()
    made.answer = lambda asked: (
        made.written(asked, "billing" if asked.prompt.endswith("repairs") else asked.prompt.split()[-1])
        if asked.path.endswith("/chat/completions")
        else None
    )
    with serving(made):
        yield made


def study(base: Path | str = "afters-tiny", **changes: Any) -> Study:
    task = {
        "name": "tickets",
        "source": "tickets.csv",
        "fractions": {"train": 0.4, "validation": 0.1, "test": 0.5},
        "wordings": ["Which team? {{ message }}"],
        "answer": "{{ team }}",
        "metrics": ["exact_match", "rouge"],
    }
    settings: dict[str, Any] = {
        "name": "tickets",
        "seed": 3,
        "model": {"base": str(base), "precision": "fp32"},
        "task": [{**task, **changes.pop("task", {})}],
        "before": {"shots": [0]},
        "keep": {"tasks": []},
        "train": {"epochs": 1, "batch_rows": 8, "validations": 1},
        "judge": {"max_new_tokens": 4},
    }
    return study_of({**settings, **changes})


def test_a_model_behind_a_server_is_scored_with_intervals(rows: Path, server: FakeServer) -> None:
    judged = judge(server.address, study(), out=rows / "out", folder=rows)
    (result,) = judged.results
    score = result.score("exact_match")
    assert 0.5 < score.value < 0.8 and score.judged == len(server.asked)
    assert score.low is not None and score.high is not None and score.low < score.value < score.high
    told = json.loads((rows / "out" / "scores.json").read_text())
    assert (told["schema"], told["model"], told["primary"]) == (
        *("afters.scores/1", server.address),
        {"tickets": "exact_match"},
    )
    assert told["scores"][0]["result"] == "asked"


def test_rows_that_are_set_aside_are_told(rows: Path, server: FakeServer) -> None:
    lines = (rows / "tickets.csv").read_text().splitlines()
    (rows / "tickets.csv").write_text("\n".join([*lines, "Nobody knows,", "Nor does she,"]) + "\n")
    listener = Listener()
    judge(server.address, study(), out=rows / "out", folder=rows, tell=listener)
    [told] = [line for line in listener.said if "rows to judge" in line]
    assert "; set aside: 2 empty answer" in told


def test_what_is_known_is_not_asked_again(rows: Path, server: FakeServer) -> None:
    first = judge(server.address, study(), out=rows / "out", folder=rows)
    asked, heard = len(server.asked), Listener()
    again = judge(server.address, study(), out=rows / "out", folder=rows, tell=heard)
    assert len(server.asked) == asked
    assert again.json() == first.json()
    assert any("known already" in line for line in heard.said)


def test_after_a_fault_it_goes_on_and_counts_nothing_twice(rows: Path, server: FakeServer) -> None:
    whole = judge(server.address, study(), out=rows / "whole", folder=rows)
    usual, prompts = server.answer, [asked.prompt for asked in server.asked]
    hasty = study(model={"endpoint": {"tries": 1, "in_flight": 4}})
    server.asked.clear()
    server.answer = lambda asked: Said(status=500) if asked.prompt == prompts[60] else usual(asked)
    with pytest.raises(ModelError, match=r"answers have come, and none of them is asked again") as told:
        judge(server.address, hasty, out=rows / "out", folder=rows)
    (answers,) = rows.glob("out/results/*/answers.jsonl")
    kept = answers.read_text().splitlines()
    assert f"{len(kept)} of {len(prompts)} answers" in str(told.value) and len(kept) >= 32
    server.answer, heard = usual, Listener()
    judged = judge(server.address, hasty, out=rows / "out", folder=rows, tell=heard)
    assert any(f"{len(kept)} of {len(prompts)} answers are known already" in line for line in heard.said)
    asked = [one.prompt for one in server.asked]
    assert sorted(asked) == sorted([*prompts, prompts[60]])  # the one that went wrong twice, all others once
    assert judged.json() == whole.json()


def test_it_is_compared_with_a_tuned_model_and_what_cannot_be_seen_is_named(
    rows: Path, server: FakeServer, tiny: Tiny
) -> None:
    run(study(tiny("t5")), out=rows / "tuned", folder=rows)
    judge(server.address, study(), out=rows / "hosted", folder=rows)
    found = compare_sides([rows / "tuned"], [rows / "hosted"]).headline
    assert (found.before, found.after, found.metric, found.verdict) == ("tuned", "hosted", "exact_match", "improved")
    assert "prompts" in found.not_checked


def test_shots_are_the_run_s_own_and_have_a_label_of_their_own(rows: Path, server: FakeServer, tiny: Tiny) -> None:
    shown = study(tiny("t5"), before={"shots": [0, 2]})
    run(shown, out=rows / "tuned", folder=rows)
    for shots in (0, 2):
        judge(server.address, shown, out=rows / "hosted", folder=rows, shots=shots)
    assert len(server.asked[-1].body["messages"]) == 5
    alike = compare_sides([f"{rows}/tuned:shots=2"], [f"{rows}/hosted:shots=2"]).headline
    assert alike.kind == "tuning"
    prompting = compare_sides([f"{rows}/hosted:asked"], [f"{rows}/hosted:shots=2"]).headline
    assert prompting.kind == "prompting"
    with pytest.raises(InputError, match=r"known: asked, shots=2"):
        compare_sides([rows / "tuned"], [rows / "hosted"])


def test_a_task_without_teaching_rows_is_judged_and_compared_and_never_run(rows: Path, tiny: Tiny) -> None:
    only_judged: dict[str, Any] = {
        "task": {"source": None, "test": "tickets.csv", "test_limit": 20},
        "mixture": {"cap": 5},
    }
    for name, model in (("before", tiny("t5")), ("after", tiny("llama"))):
        judged = judge(str(model), study(**only_judged), out=rows / name, folder=rows)
        assert judged.results[0].score("exact_match").judged == 20
    account = RunFolder(rows / "before").read_json("data.json")["tickets"]
    assert account["train"]["read"] == 0 and account["lengths"]["prompt_tokens"]["train"] == []
    assert compare_sides([rows / "before"], [rows / "after"]).headline.cases == 20
    with pytest.raises(InputError, match="(?s)too few shots.*2 teaching rows"):
        judge(str(tiny("t5")), study(**only_judged), out=rows / "shown", folder=rows, shots=2)
    with pytest.raises(SettingsError, match="(?s)tickets: there is nothing to teach.*afters evaluate"):
        run(study(tiny("t5"), **only_judged), out=rows / "run", folder=rows)
    assert not (rows / "run").exists()


def test_choices_are_weighed_where_the_server_can(rows: Path, server: FakeServer) -> None:
    closed = study(task={"choices": list(TEAMS), "metrics": ["accuracy"]})
    (result,) = judge(server.address, closed, out=rows / "out", folder=rows).results
    assert all(len(made.choices) == 3 for case in result.cases for made in case.predictions)
    server.echoes = False
    with pytest.raises(ModelError, match="how probable a choice is"):
        judge(server.address, closed, out=rows / "other", folder=rows)


def test_the_key_is_nowhere_on_disk(rows: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERS_API_KEY", KEY)
    usual = server.answer
    server.answer = lambda asked: Said({"error": {"message": f"Not {KEY}!"}}, 429) if len(server.asked) > 40 else None
    heard = Listener()
    with pytest.raises(ModelError) as told:
        judge(server.address, study(model={"endpoint": {"tries": 1}}), out=rows / "out", folder=rows, tell=heard)
    server.answer = usual
    judge(server.address, study(), out=rows / "out", folder=rows, tell=heard)
    assert {dict(asked.headers)["authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    assert KEY not in str(told.value) and KEY not in "".join(heard.said)
    for path in (path for path in rows.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("address", [f"http://me:{KEY}@localhost/v1#m", f"http://localhost/v1?key={KEY}#m"])
def test_an_address_with_a_secret_is_refused_by_every_way_in(rows: Path, address: str) -> None:
    for refused in (
        lambda: judge(address, study(), out=rows / "out", folder=rows),
        lambda: run(study(address), out=rows / "out", folder=rows),
        lambda: place_for(address, study()),
    ):
        with pytest.raises(InputError) as told:
            refused()
        assert KEY not in str(told.value)
    assert not (rows / "out").exists()


def test_a_model_behind_a_server_cannot_be_taught(rows: Path, server: FakeServer) -> None:
    with pytest.raises(SettingsError, match=r"(?s)can be asked, and not taught.*afters evaluate"):
        run(study(server.address), out=rows / "out", folder=rows)
    assert not server.asked and not (rows / "out").exists()


def test_a_run_s_model_and_its_adapter_answer_as_they_did_in_the_run(rows: Path, tiny: Tiny) -> None:
    for method in ("full", "lora"):
        lora = study(tiny("t5"), train={"method": method, "epochs": 1, "batch_rows": 8, "validations": 1})
        told = run(lora, out=rows / method, folder=rows)
        judged = judge(str(rows / method / "model"), lora, out=rows / f"{method}-again", folder=rows)
        after = told.result("after", task="tickets")
        assert judged.results[0].scores == after.scores
        answers = [[made.answers for made in case.predictions] for case in judged.results[0].cases]
        assert answers == [[made.answers for made in case.predictions] for case in after.cases]
        found = compare_sides([rows / method], [rows / f"{method}-again"]).headline
        assert (found.difference, found.not_checked) == (0.0, ())


def test_a_folder_is_for_one_model_and_no_run_s(rows: Path, server: FakeServer, tiny: Tiny) -> None:
    judge(server.address, study(), out=rows / "out", folder=rows)
    with pytest.raises(RunFolderError, match=r"(?s)another model.*echo-1.*--out"):
        judge(str(tiny("t5")), study(), out=rows / "out", folder=rows)
    run(study(tiny("t5")), out=rows / "run", folder=rows)
    with pytest.raises(RunFolderError, match="holds a run"):
        judge(server.address, study(), out=rows / "run", folder=rows)
    with pytest.raises(RunFolderError, match="an evaluation has scores, and no verdict"):
        RunFolder.opened(rows / "out")


def test_who_answered_is_kept_and_told(rows: Path, server: FakeServer) -> None:
    def dated(asked: Asked) -> Said:
        day = "2026-07-18" if asked.prompt.endswith("billing") else "2026-09-01"
        return server.written(asked, "billing", model=f"echo-1-{day}")

    server.answer, heard = dated, Listener()
    (result,) = judge(server.address, study(), out=rows / "out", folder=rows, tell=heard).results
    assert heard.said[-1].endswith("answered by echo-1-2026-07-18 and echo-1-2026-09-01")
    (case, *_) = RunFolder(rows / "out").results()["tickets"]["asked"].cases
    assert case.predictions[0].answered_by.startswith("echo-1-2026")
    assert result.identity["weights"] == "echo-1"


def test_several_processes_do_not_evaluate(rows: Path, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match="without torchrun"):
        judge(server.address, study(), out=rows / "out", folder=rows)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("https://example.com/v1#org/gpt-4o", "tickets-org-gpt-4o"),
        ("afters-tiny", "tickets-afters-tiny"),
        ("google/flan-t5-base", "tickets-flan-t5-base"),
        ("runs/chats/model", "tickets-chats"),
    ],
)
def test_where_answers_go_is_named_after_study_and_model(model: str, name: str) -> None:
    assert place_for(model, study()) == Path("runs") / name


def test_no_torch_is_needed_for_a_model_behind_a_server(rows: Path, server: FakeServer) -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        assert name.split('.')[0] not in ('torch', 'transformers', 'peft'), f'{name} is imported'\n"
        "sys.meta_path.insert(0, Block())\n"
        "from afters.config import read_study\n"
        "from afters.study.judging import judge\n"
        "judge(sys.argv[1], read_study('study.toml'), out='out')\n"
    )
    (rows / "study.toml").write_text(tomli_w.dumps(study().plain()))
    subprocess.run([sys.executable, "-c", code, server.address], cwd=rows, check=True)
    assert server.asked
