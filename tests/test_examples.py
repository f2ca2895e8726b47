"""Every example and the README's own lines run, small, on the embedded base."""

from __future__ import annotations

import json
import re
import runpy
import shutil
from pathlib import Path

import pytest

from afters.config import read_study
from afters.errors import InputError
from afters.model import files
from afters.runfolder import RunFolder
from afters.study.run import run
from afters.study.teaching import check_fit

HOUSE = Path(__file__).resolve().parents[1]

SMALL = (
    *("train.epochs=1", "train.batch_rows=8", "train.validations=1", "before.shots=[0, 1]"),
    *("judge.max_new_tokens=8", "seed=1"),
    "keep.tasks=[]",
)


def write_tickets(path: Path, *, rows: int = 90) -> None:
    teams = ("billing", "delivery", "repairs")
    lines = [f"Ticket {number}: the {teams[number % 3]} went wrong,{teams[number % 3]}" for number in range(rows)]
    path.write_text("\n".join(["message,team", *lines]) + "\n")


def write_dialogues(folder: Path) -> None:
    """Write dialogues of our own in DialogSum's shape."""
    folder.mkdir()
    for side, count in (("train", 24), ("dev", 6), ("test", 6)):
        with (folder / f"dialogsum.{side}.jsonl").open("w") as file:
            for number in range(count):
                told = f"#Person1# sells {number} {side} apples to #Person2#."
                dialogue = f"#Person1#: {number} {side} apples?\n#Person2#: Yes, please."
                names = ["summary1", "summary2", "summary3"] if side == "test" else ["summary"]
                file.write(json.dumps({"dialogue": dialogue, **dict.fromkeys(names, told)}) + "\n")


def test_every_study_in_examples_is_tested_here() -> None:
    assert {path.name for path in (HOUSE / "examples").glob("*.toml")} == {
        *("adapter.toml", "dialogsum.toml", "forgetting.toml", "from-scratch.toml", "own-csv.toml", "two-stages.toml")
    }


def test_the_example_of_forgetting_runs_on_the_demos_chats_and_the_probes(tmp_path: Path) -> None:
    limits = ("task.train_limit=16", "task.validation_limit=4", "task.test_limit=6", "train.validations=2")
    few = (*SMALL[:-1], *limits, "keep.tasks=['topic']", "mend.interpolate=[0.5]", "mend.replay=[0.2]")
    told = run(read_study(HOUSE / "examples" / "forgetting.toml", changes=few), out=tmp_path / "run", folder=tmp_path)
    assert [one.task for one in told.kept] == ["probe topic"] and told.kept[0].comparison.before_value > 0.5
    assert {one.kind for one in told.cures} == {"plain", "checkpoint", "replay", "kl", "interpolation"}


def test_the_example_of_two_stages_runs_on_rows_of_samsums_shape(tmp_path: Path) -> None:
    (tmp_path / "samsum").mkdir()
    for side, count in (("train", 24), ("val", 4), ("test", 6)):
        rows = [
            {"dialogue": f"Mia: {side} {number}?\r\nTom: Yes.", "summary": f"Tom agrees to {side} {number}."}
            for number in range(count)
        ]
        (tmp_path / "samsum" / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    limits = [f"task.support-chats.{side}_limit={count}" for side, count in (("train", 16), ("test", 6))]
    few = (*SMALL[2:], *limits, "task.support-chats.validation_limit=4", "before.shots=[0]")
    told = run(read_study(HOUSE / "examples" / "two-stages.toml", changes=few), out=tmp_path / "run", folder=tmp_path)
    assert told.stages is not None and told.stages.tasks == ("everyday", "support-chats")


def test_the_example_of_one_s_own_csv_runs(tmp_path: Path) -> None:
    write_tickets(tmp_path / "tickets.csv")
    study = read_study(HOUSE / "examples" / "own-csv.toml", changes=SMALL)
    told = run(study, out=tmp_path / "run", folder=tmp_path)
    assert told.headline.metric == "exact_match" and (tmp_path / "run" / "report.html").is_file()


@pytest.mark.slow
def test_the_example_of_an_adapter_runs_and_leaves_a_whole_model(tmp_path: Path) -> None:
    write_tickets(tmp_path / "tickets.csv")
    run(read_study(HOUSE / "examples" / "adapter.toml", changes=SMALL), out=tmp_path / "run", folder=tmp_path)
    assert (tmp_path / "run" / "model" / "config.json").is_file()
    assert not (tmp_path / "run" / "model" / "adapter_config.json").is_file()


def test_the_example_of_an_adapter_fits_the_embedded_base() -> None:
    study = read_study(HOUSE / "examples" / "adapter.toml")
    check_fit(files.find(study.model.base), study)


def test_the_dialogsum_example_runs_on_rows_of_its_shape(tmp_path: Path) -> None:
    write_dialogues(tmp_path / "dialogsum")
    study = read_study(HOUSE / "examples" / "dialogsum.toml", changes=SMALL)
    told = run(study, out=tmp_path / "run", folder=tmp_path)
    case = told.result("after", task="dialogsum").cases[0]
    assert told.headline.metric == "pyrouge1" and len(case.examples[0].references) == 3


def test_the_example_from_scratch_runs(tmp_path: Path) -> None:
    shutil.copy(HOUSE / "examples" / "from-scratch.json", tmp_path)
    lines = [
        json.dumps({"text": f"Passage {number}: it is cold outside, and it was so yesterday."}) for number in range(60)
    ]
    (tmp_path / "passages.jsonl").write_text("\n".join(lines) + "\n")
    fractions = "task.fractions={train=0.8, validation=0.1, test=0.1}"
    study = read_study(
        HOUSE / "examples" / "from-scratch.toml", changes=(*SMALL, "model.tokenizer.vocabulary=400", fractions)
    )
    told = run(study, out=tmp_path / "run", folder=tmp_path)
    assert told.headline.metric == "perplexity" and told.headline.verdict.startswith("improved")


@pytest.mark.data
def test_the_dialogsum_example_runs_on_a_share_of_the_real_rows(tmp_path: Path, data_folder: Path) -> None:
    limits = ("task.train_limit=16", "task.validation_limit=4", "task.test_limit=4")
    study = read_study(HOUSE / "examples" / "dialogsum.toml", changes=(*SMALL, *limits))
    told = run(study, out=tmp_path / "run", folder=data_folder)
    assert told.headline.cases == 4
    account = RunFolder.opened(tmp_path / "run").read_json("data.json")["dialogsum"]
    assert account["train"]["read"] == 12_460


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (HOUSE / "README.md").read_text(), flags=re.DOTALL)


def test_the_readme_s_study_and_its_lines_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (study,) = blocks("toml")
    (script,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    write_tickets(tmp_path / "tickets.csv")
    quick = "\n[train]\nepochs = 1\nvalidations = 1\n[keep]\ntasks = []\n"
    (tmp_path / "tickets.toml").write_text(re.sub(r"\n\[train\]\n(?:.+\n)+", quick, study))
    (tmp_path / "lines.py").write_text(script)
    runpy.run_path(str(tmp_path / "lines.py"))
    assert "exact_match" in capsys.readouterr().out


def test_the_readme_is_short() -> None:
    assert len((HOUSE / "README.md").read_text().splitlines()) < 150


def test_the_docs_lines_of_python_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for page in sorted((HOUSE / "docs").glob("*.md")):
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.DOTALL)):
            script = tmp_path / f"{page.stem}-{number}.py"
            script.write_text(block)
            runpy.run_path(str(script))
    assert "'rouge1': 0.89" in capsys.readouterr().out


def test_too_few_rows_are_told(tmp_path: Path) -> None:
    write_tickets(tmp_path / "tickets.csv", rows=2)
    with pytest.raises(InputError, match=r"tickets\.csv"):
        run(read_study(HOUSE / "examples" / "own-csv.toml"), out=tmp_path / "run", folder=tmp_path)
