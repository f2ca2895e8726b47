from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from afters.errors import RunFolderError
from afters.records import Case, ChoiceScore, Example, Prediction, Result, Score, Shot
from afters.runfolder import NOT_YET, RunFolder

HOSTILE = (
    "line\u2028separator\u2029and\x85next\x0b\x0c\x1c\x1d\x1e",
    "crlf\r\nlf\ncr\r",
    "🙂 \U0001f9d1\u200d\U0001f680 \u0000 \ufeff \u202e \uffff",
    '"quotes" \\ back \\u0041 {"json": [1]}',
    "\ud800 alone",
    "",
)

IDENTITY = {"weights": "w1", "dataset": "d1", "decoding": "{}"}


def prediction(name: str, text: str) -> Prediction:
    return Prediction(
        example=name,
        answers=(text, "second"),
        choices=(ChoiceScore(-0.1, 2), ChoiceScore(float("-inf"), 1)),
        prompt_hash="abc",
        prompt_tokens=7,
        new_tokens=3,
        finished=False,
        shots_used=1,
        tokens_cut=2,
        seconds=0.1 + 0.2,
    )


def case(number: int, text: str) -> Case:
    whole = Example(
        id=f"{number}/{text[:2]}",
        task="chats",
        source="a.csv:2",
        content=text,
        wording="1",
        prompt=text,
        references=(text, "other"),
        system=text,
        shots=(Shot(text, text),),
        cuttable=(0, len(text)),
        choices=("yes", text),
        choice_scores=(0.5, 1.0),
        group=str(number),
        cluster=text,
        variant="typos",
        meta={"who": text},
    )
    bare = Example(f"{number}b", "chats", "a.csv:3", text, "1", text, (text,))
    return Case(str(number), text, (whole, bare), (prediction(whole.id, text), prediction(bare.id, text)))


def result(label: str = "before", **changes: object) -> Result:
    cases = tuple(case(number, text) for number, text in enumerate(HOSTILE))
    rows = {"rouge": ((0.1, 1 / 3, 1.0), None, (1e-300, 2.0, 1.0), None, (0.0, 0.0, 1.0), (1.0, 1.0, 1.0))}
    score = Score("rouge1", "rouge", 1 / 3, "case", "higher", 4, 2, "nrefs:mean", 0.25, 0.1, None)
    made = Result(label, "chats", IDENTITY, cases, rows, (score, replace(score, name="rouge2")), 1.5)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_result_comes_back_exactly_whatever_its_texts_say(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.keep_result(result())
    assert folder.results() == {"chats": {"before": result()}}
    assert folder.find_result(IDENTITY, task="chats", label="before") == result()
    lines = next(tmp_path.glob("results/*/cases.jsonl")).read_bytes().split(b"\n")
    assert len(lines) == len(HOSTILE) + 1, "one Case a line"


def test_a_result_that_lost_cases_is_not_believed(tmp_path: Path) -> None:
    """As a copy that broke off leaves it."""
    folder = RunFolder(tmp_path)
    folder.keep_result(result())
    [cases] = tmp_path.glob("results/*/cases.jsonl")
    lines = cases.read_bytes().splitlines(keepends=True)
    cases.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(RunFolderError, match="(?s)are damaged.*Remove") as caught:
        folder.find_result(IDENTITY, task="chats", label="before")
    assert caught.value.expected == f"{len(lines)} whole lines, as its scores tell"


def test_the_same_question_is_found_under_another_label_and_another_question_is_not(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.keep_result(result())
    found = folder.find_result({**IDENTITY}, task="chats", label="shots=0")
    assert found == result("shots=0")
    assert set(folder.results()["chats"]) == {"before", "shots=0"}
    for name in IDENTITY:
        assert folder.find_result({**IDENTITY, name: "other"}, task="chats", label="x") is None
    assert folder.find_result({**IDENTITY, "adapter": "a"}, task="chats", label="x") is None


def test_results_of_several_tasks_and_labels_stand_side_by_side(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for task, label in (("chats", "before"), ("chats", "after"), ("words", "before")):
        folder.keep_result(result(label, task=task, identity={**IDENTITY, "which": task + label}))
    assert {task: set(labels) for task, labels in RunFolder(tmp_path).results().items()} == {
        "chats": {"before", "after"},
        "words": {"before"},
    }


# Answers while they come


def test_answers_are_known_again_after_an_interruption(tmp_path: Path) -> None:
    made = [prediction(str(number), text) for number, text in enumerate(HOSTILE)]
    known, keep = RunFolder(tmp_path).answers(IDENTITY)
    assert known == {}
    keep(made[:2])
    keep(made[2:])
    known, _ = RunFolder(tmp_path).answers(IDENTITY)
    assert known == {one.example: one for one in made}
    other, _ = RunFolder(tmp_path).answers({**IDENTITY, "weights": "w2"})
    assert other == {}


def test_an_interrupted_last_line_is_dropped_at_whatever_byte_it_broke_off(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    first, second = prediction("1", "whole"), prediction("2", "🙂 in four bytes")
    _, keep = folder.answers(IDENTITY)
    keep([first])
    (path,) = tmp_path.glob("results/*/answers.jsonl")
    whole = path.stat().st_size
    keep([second])
    content = path.read_bytes()
    for size in range(whole, len(content)):
        path.write_bytes(content[:size])
        known, keep = folder.answers(IDENTITY)
        assert known == {"1": first}
        keep([second])
        assert path.read_bytes() == content, "the line that follows is not spoilt"


def test_a_result_takes_the_place_of_its_answers(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    _, keep = folder.answers(IDENTITY)
    keep([prediction("1", "yes")])
    folder.keep_result(result())
    assert not list(tmp_path.glob("results/*/answers.jsonl"))


def test_a_result_counts_only_when_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, replaced = RunFolder(tmp_path), Path.replace
    # Three files, one after the other; the third makes it count.
    for last in ("cases.jsonl", "scores.json", "identity.json"):

        def failing(self: Path, target: Path, last: str = last) -> Path:
            if target.name == last:
                raise KeyboardInterrupt
            return replaced(self, target)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(Path, "replace", failing)
            folder.keep_result(result())
        assert folder.find_result(IDENTITY, task="chats", label="before") is None
    folder.keep_result(result())
    assert folder.find_result(IDENTITY, task="chats", label="before") == result()


# Files


def test_a_file_is_replaced_whole_and_no_draft_is_left(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    path = folder.write("deep/er/page.html", "old")
    assert folder.write("deep/er/page.html", "new\r\n\u2028") == path
    assert path.read_bytes() == "new\r\n\u2028".encode()
    assert [child.name for child in path.parent.iterdir()] == ["page.html"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path)
    path = folder.write("page.html", "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        folder.write("page.html", "new")
    assert path.read_text() == "old"


def test_json_is_written_the_same_whatever_the_order_of_its_keys(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    first = folder.write_json("a.json", {"b": 1, "a": {"d": [1.5], "c": "é"}}).read_bytes()
    second = folder.write_json("b.json", {"a": {"c": "é", "d": [1.5]}, "b": 1}).read_bytes()
    assert first == second
    assert first.endswith(b"}\n")
    assert folder.read_json("a.json") == json.loads(first)
    assert folder.read_json("nothing.json") == {}
    (tmp_path / "broken.json").write_bytes(b'{"a": \xff')
    with pytest.raises(RunFolderError, match="not JSON"):
        folder.read_json("broken.json")


# Whose folder it is


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    folder, settings = RunFolder(tmp_path), {"seed": "1", "train.epochs": "3"}
    folder.claim("train", settings)
    folder.claim("train", dict(reversed(settings.items())))
    with pytest.raises(RunFolderError, match=r"made with another train\.epochs") as caught:
        folder.claim("train", {**settings, "train.epochs": "4"})
    assert (caught.value.expected, caught.value.received) == ("train.epochs = 3", "train.epochs = 4")
    with pytest.raises(RunFolderError) as added:
        folder.claim("train", {**settings, "train.clip": "1"})
    assert (added.value.expected, added.value.received) == ("train.clip = not set", "train.clip = 1")
    with pytest.raises(RunFolderError, match="another seed"):
        folder.claim("train", {"train.epochs": "3"})
    folder.claim("train", settings)


def test_what_is_to_be_removed_is_the_whole_run(tmp_path: Path) -> None:
    whole = RunFolder(tmp_path / "run")
    for part in (whole, whole.at(4), whole.other("replay-0.25")):
        part.claim("train", {"seed": "1"})
        with pytest.raises(RunFolderError, match="another seed") as caught:
            part.claim("train", {"seed": "2"})
        assert str(caught.value).endswith(f"remove the whole run folder, {tmp_path / 'run'}.")


@pytest.mark.parametrize("key", ["train", "results", "start"])
@pytest.mark.parametrize(
    "name", ["study.toml", "data.json", "model/", "model/config.json", "results/mine.csv", "rows/a"]
)
def test_what_nobody_has_claimed_is_left_as_it_is_and_named(tmp_path: Path, key: str, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).mkdir() if name.endswith("/") else (tmp_path / name).write_text("mine")
    (tmp_path / "train.log").write_text("")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunFolderError, match="does not say what it was made with") as caught:
        RunFolder(tmp_path).claim(key, {"seed": "1"})
    top = name.partition("/")[0]
    assert caught.value.received == (f"{top}/" if (tmp_path / top).is_dir() else top)
    assert "remove" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before and all(
        path.read_text() in ("mine", "") for path in before if path.is_file()
    )


def test_a_folder_with_what_is_never_written_there_may_be_claimed(tmp_path: Path) -> None:
    for key in ("train", "results", "start"):
        for name in (".gitignore", "run.log", "data/rows.csv", ".study.toml.draft", f"{key}/.key.json.draft"):
            (tmp_path / key / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / key / name).write_text("")
        RunFolder(tmp_path / key).claim(key, {"seed": "1"})


def test_a_model_whose_key_was_removed_is_not_taken_for_the_one_that_would_be_taught(tmp_path: Path) -> None:
    whole = RunFolder(tmp_path / "run")
    whole.forget_labels()
    for part in (whole.at(4), whole.other("replay-0.25")):
        part.claim("train", {"seed": "1"})
        part.model.mkdir()
        (part.train / "key.json").unlink()
        with pytest.raises(RunFolderError, match="or remove the whole run folder") as caught:
            part.claim("train", {"seed": "2"})
        assert caught.value.received == "model/" and str(whole.path) in str(caught.value.hint)


def test_a_run_from_scratch_claims_its_start_first(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim("start", {"seed": "1"})
    (tmp_path / "start" / "model").mkdir()
    folder.claim("train", {"seed": "1"})
    (tmp_path / "train" / "key.json").unlink()
    folder.model.mkdir()
    with pytest.raises(RunFolderError, match="does not say") as caught:
        folder.claim("train", {"seed": "1"})
    assert caught.value.received == "model/"


@pytest.mark.parametrize(
    ("stands", "comes", "said"),
    [("results", "train", "an evaluation"), ("train", "results", "a run"), ("train", "start", "a run")],
)
def test_a_run_and_an_evaluation_do_not_share_a_folder(tmp_path: Path, stands: str, comes: str, said: str) -> None:
    folder = RunFolder(tmp_path)
    folder.claim(stands, {"seed": "1"})
    with pytest.raises(RunFolderError, match=f"this folder holds {said}\\n"):
        folder.claim(comes, {"seed": "1"})


def test_what_is_not_known_yet_is_filled_in_once_and_never_forgotten(tmp_path: Path) -> None:
    folder, known, yet = RunFolder(tmp_path), {"base": "b1", "seed": "1"}, {"base": NOT_YET, "seed": "1"}
    folder.claim("train", yet)
    with pytest.raises(RunFolderError, match="another seed"):
        folder.claim("train", {**known, "seed": "2"})
    for _ in range(2):
        folder.claim("train", known)
        assert folder.read_json("train/key.json") == known
    for other in (yet, {**known, "base": "b2"}):
        with pytest.raises(RunFolderError, match="another base"):
            folder.claim("train", other)


def test_a_verdict_whose_answers_are_collected_anew_is_not_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    one = {"task": "chats", "metric": "rouge1", "before": "before", "after": "after"}
    folder.write_json("verdict.json", {"comparisons": [one], "kept": [{"comparison": {**one, "task": "words"}}]})
    with pytest.raises(RunFolderError, match="being done anew"):
        RunFolder.opened(tmp_path)
    for task in ("chats", "words"):
        for label in ("before", "after"):
            with pytest.raises(RunFolderError, match=f"(?s)none to {task}, {label}.*[Rr]un the same command again"):
                RunFolder.opened(tmp_path)
            folder.enter(task, label, "key")
    RunFolder.opened(tmp_path)


def test_a_folder_that_is_no_run_is_told(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RunFolderError, match="no finished run in"):
            RunFolder.opened(path)


def test_the_training_log_is_read_without_a_half_last_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.steps() == []
    folder.write("train/steps.jsonl", '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": NaN}\n{"step": 3, "lo')
    assert [line["step"] for line in folder.steps()] == [1, 2]
