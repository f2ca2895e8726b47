from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from afters.data.task import Prepared, TaskSettings, prepare
from afters.errors import DataError

OLD = {"Definition": "Name the opposite", "Categories": ["Word Semantics"], "Positive Examples": []}
NEW = {
    "Definition": ["Name the opposite."],
    "Categories": ["Word Analogy"],
    "Source": ["words"],
    "URL": ["https://words.example"],
    "Output_language": ["English"],
    "Instance License": ["CC BY 4.0"],
    "Positive Examples": [
        {"input": "hot", "output": "cold", "explanation": "as one says"},
        {"input": "up?", "output": "down", "explanation": ""},
        {"input": "in", "output": "out", "explanation": ""},
    ],
}


def written(folder: Path, head: dict[str, Any], count: int, **more: Any) -> Path:
    instances = [
        {"id": f"t-{n}", "input": f"word {n}", "output": [f"drow {n}", f"{n} drow"], **more} for n in range(count)
    ]
    (folder / "task1.json").write_text(json.dumps({**head, "Instances": instances}))
    return folder / "task1.json"


def prepared(folder: Path, **settings: Any) -> Prepared:
    told = {"name": "t", "source": "task1.json", "template": "natural_instructions", **settings}
    return prepare(TaskSettings(**told), seed=3, folder=folder)


def test_the_first_hundred_instances_judge_and_the_others_teach(tmp_path: Path) -> None:
    written(tmp_path, NEW, 160)
    done = prepared(tmp_path)
    assert [example.source for example in done.test] == [f"task1.json:{number}" for number in range(1, 101)]
    assert len(done.train) + len(done.validation) == 60 and len(done.validation) > 0
    assert done.test[0].references == ("drow 0", "0 drow")
    assert (
        done.account["notes"][0]
        == "task1.json: the rows' licence: CC BY 4.0; their source: words; https://words.example"
    )
    assert (done.template.category, done.template.languages) == ("Word Analogy", ("English",))


def test_a_test_file_judges_by_the_official_instances_and_a_train_file_teaches_all(tmp_path: Path) -> None:
    written(tmp_path, {**NEW, "Definition": "Spell it backwards."}, 150).rename(tmp_path / "task2.json")
    written(tmp_path, NEW, 160)
    done = prepared(tmp_path, source=None, train="task2.json", test="task1.json")
    assert len(done.test) == 100 and len(done.train) + len(done.validation) == 150
    (group,) = done.account["set_aside"]
    assert group["reason"] == "not among the rows that its publisher judges by"
    assert done.account["test"] == {"read": 160, "used": 100, "set_aside": 60}


def test_a_test_file_alone_judges_by_all_its_official_instances_however_few_there_are(tmp_path: Path) -> None:
    for count in (160, 100, 30):
        written(tmp_path, NEW, count)
        done = prepared(tmp_path, source=None, test="task1.json")
        assert [example.source for example in done.test] == [f"task1.json:{n}" for n in range(1, min(count, 100) + 1)]
        assert done.primary == "exact_match" and not len(done.train)


def test_a_task_without_rows_beyond_the_test_is_split_by_content(tmp_path: Path) -> None:
    written(tmp_path, NEW, 100)
    done = prepared(tmp_path)
    assert len(done.train) > 50 and 0 < len(done.test) < 40


def test_prompts_are_tk_instructs(tmp_path: Path) -> None:
    written(tmp_path, NEW, 130)
    definition = "Definition: Name the opposite.\n\n"
    asked = "Now complete the following example -\nInput: word 0.\nOutput:"
    assert prepared(tmp_path).test[0].prompt == definition + asked
    examples = (
        " Positive Example 1 -\nInput: hot.\n Output: cold.\n\n Positive Example 2 -\nInput: up?\n Output: down.\n\n"
    )
    shown = prepared(tmp_path, judge_wording="definition_and_examples").test[0]
    assert shown.prompt == definition + examples + asked


def test_the_old_form_is_read_too(tmp_path: Path) -> None:
    path = written(tmp_path, OLD, 130)
    task = json.loads(path.read_text())
    task["Instances"] = [{"input": item["input"], "output": "same"} for item in task["Instances"]] + ["broken"]
    path.write_text(json.dumps(task))
    done = prepared(tmp_path)
    assert done.test[0].prompt.startswith("Definition: Name the opposite.\n") and done.test[0].references == ("same",)
    assert done.account["unassigned"]["set_aside"] == 1
    assert "licence: nothing stated" in done.account["notes"][0]


def test_a_classification_is_judged_by_exact_match_and_the_rest_by_rouge_l(tmp_path: Path) -> None:
    written(tmp_path, {**NEW, "Categories": ["Question Generation"]}, 120)
    assert prepared(tmp_path).primary == "rougeL"
    written(tmp_path, {**NEW, "Categories": ["Sentiment Analysis"]}, 120, output=["good"])
    assert prepared(tmp_path).primary == "exact_match"
    # Scored by ROUGE-L in Tk-Instruct's evaluation, however few answers there are.
    written(tmp_path, {**NEW, "Categories": ["Keyword Tagging"]}, 120, output=["good"])
    assert prepared(tmp_path).primary == "rougeL"
    written(tmp_path, NEW, 120)
    assert prepared(tmp_path).primary == "exact_match"
    assert prepared(tmp_path, metrics=("chrf",)).metrics == ("chrf",)


def test_a_file_that_is_no_task_is_told_by_who_reads_it(tmp_path: Path) -> None:
    (tmp_path / "task1.json").write_text("{")
    with pytest.raises(DataError, match="broken JSON"):
        prepared(tmp_path)


def test_a_damaged_file_is_told_by_who_reads_it(tmp_path: Path) -> None:
    whole = gzip.compress(written(tmp_path, NEW, 130).read_bytes())
    for damaged in (whole[:10] + b"\xff" * 40 + whole[50:], whole[:-200], b"no gzip"):
        (tmp_path / "task1.json.gz").write_bytes(damaged)
        with pytest.raises(DataError, match="task1.json.gz: the file is damaged"):
            prepared(tmp_path, source="task1.json.gz")


def test_half_a_character_spoils_its_instance_only(tmp_path: Path) -> None:
    path = written(tmp_path, {**NEW, "Source": ["words \ud83d"]}, 130)
    task = json.loads(path.read_text())
    task["Instances"][120]["output"] = ["\ud83d"]
    task["Instances"][121]["input"] = "\ud83d"
    task["Instances"] += ["\ud83d", {"input": "x", "output": ["y"], "\ud83d": 1}]
    path.write_text(json.dumps(task))
    done = prepared(tmp_path)
    assert done.account["unassigned"]["set_aside"] == 4
    (group,) = done.account["set_aside"]
    assert (group["reason"], group["examples"][0]["source"]) == ("not Unicode", "task1.json:121")
    assert "their source: words ?;" in done.account["notes"][0]
    json.dumps(done.account, ensure_ascii=False).encode()
    written(tmp_path, {**NEW, "Definition": ["Name \ud83d"]}, 130)
    with pytest.raises(DataError, match="task1.json, Definition and Positive Examples: not Unicode"):
        prepared(tmp_path)


@pytest.mark.slow
@pytest.mark.data
def test_every_task_at_hand_becomes_a_task(data_folder: Path) -> None:
    folder = data_folder / "natural_instructions" / "tasks"
    files = sorted(folder.glob("task*.json"))
    assert len(files) == 75
    exact = 0
    for file in files:
        done = prepare(
            TaskSettings(name=file.stem, source=file.name, template="natural_instructions"), seed=1, folder=folder
        )
        assert len(done.train) and len(done.validation) and len(done.test)
        assert sum(done.account[side]["read"] for side in ("train", "validation", "test")) in range(100, 301)
        exact += done.primary == "exact_match"
    assert exact == 5
