from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from afters.data.task import Prepared, TaskSettings, prepare
from afters.errors import DataError, Problems, TemplateError

Row = dict[str, Any]


def rows(start: int, stop: int, **more: Any) -> list[Row]:
    return [{"chat": f"chat number {number}", "summary": f"sum {number}", **more} for number in range(start, stop)]


def write(path: Path, content: list[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in content))


def prepared(
    folder: Path,
    *,
    train: list[Row],
    validation: list[Row] | None = None,
    test: list[Row] | None = None,
    strict: bool = False,
    **settings: Any,
) -> Prepared:
    given = {"train": train, "validation": validation or rows(100, 103), "test": test or rows(200, 203)}
    for side, content in given.items():
        write(folder / f"{side}.jsonl", content)
    files = {side: f"{side}.jsonl" for side in given}
    asked = {"wordings": ("{{ chat }}",), "answer": "{{ summary }}"} if "template" not in settings else {}
    return prepare(TaskSettings(name="chats", **files, **{**asked, **settings}), seed=7, folder=folder, strict=strict)


def from_source(folder: Path, content: list[Row], **settings: Any) -> Prepared:
    write(folder / "rows.jsonl", content)
    asked: Row = {"wordings": ("{{ chat }}",), "answer": "{{ summary }}"}
    return prepare(TaskSettings(name="chats", source="rows.jsonl", **asked, **settings), seed=7, folder=folder)


def reasons(done: Prepared) -> list[tuple[str, str, int]]:
    return [(group["side"], group["reason"], group["count"]) for group in done.account["set_aside"]]


def test_every_row_is_used_or_set_aside_with_its_reason(tmp_path: Path) -> None:
    train = [*rows(0, 20), {"chat": "no answer", "summary": " "}, {"chat": None, "summary": "no chat"}]
    done = prepared(tmp_path, train=[*train, *rows(100, 102), *rows(200, 201), *rows(0, 2)], train_limit=15)
    assert done.account["train"] == {"read": 27, "used": 15, "set_aside": 12}
    assert reasons(done) == [
        ("train", "also on the test side", 1),
        ("train", "also on the validation side", 2),
        ("train", "empty answer", 1),
        ("train", "empty prompt", 1),
        ("train", "over train_limit = 15", 7),
    ]
    assert done.account["duplicates"]["train"] == 2
    assert done.account["overlap"]["validation"] == {"judging_rows": 2, "teaching_rows": 2}
    assert done.account["test"] == {"read": 3, "used": 3, "set_aside": 0}
    groups = {group["reason"]: group["examples"] for group in done.account["set_aside"]}
    assert groups["empty answer"][0]["source"] == "train.jsonl:21"
    assert len(groups["over train_limit = 15"]) == 5
    json.dumps(done.account)


def test_broken_lines_are_counted_with_their_side(tmp_path: Path) -> None:
    prepared(tmp_path, train=rows(0, 5))
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write("{broken\n")
    files = {side: f"{side}.jsonl" for side in ("train", "validation", "test")}
    settings = TaskSettings(name="chats", **files, wordings=("{{ chat }}",), answer="{{ summary }}")
    done = prepare(settings, seed=7, folder=tmp_path)
    assert done.account["train"] == {"read": 6, "used": 5, "set_aside": 1}
    with pytest.raises(DataError, match="train.jsonl:6:2: broken JSON"):
        prepare(settings, seed=7, folder=tmp_path, strict=True)


def test_overlap_is_seen_through_case_and_spacing_and_judging_rows_stay(tmp_path: Path) -> None:
    done = prepared(
        tmp_path, train=[*rows(0, 5), {"chat": "CHAT  number\n200", "summary": "x"}], validation=rows(200, 202)
    )
    assert done.account["train"]["used"] == 5
    assert len(done.validation) == 2 and len(done.test) == 3
    assert done.account["overlap"]["validation_in_test"] == 2


def test_adding_rows_moves_no_old_row_between_sides(tmp_path: Path) -> None:
    before = from_source(tmp_path, rows(0, 100))
    after = from_source(tmp_path, [*rows(500, 600), *rows(0, 100)])
    for side in ("train", "validation", "test"):
        ids = {example.id: example.prompt for example in getattr(before, side)}
        now = {example.id: example.prompt for example in getattr(after, side)}
        assert len(now) > len(ids) > 0
        assert ids.items() <= now.items()


def test_equal_content_stands_on_one_side(tmp_path: Path) -> None:
    done = from_source(tmp_path, [*rows(0, 60), *rows(0, 60)])
    assert sum(done.account["duplicates"].values()) == 60
    assert done.account["overlap"]["test"] == {"judging_rows": 0, "teaching_rows": 0}


def test_broken_rows_of_one_source_belong_to_no_side(tmp_path: Path) -> None:
    write(tmp_path / "rows.jsonl", rows(0, 60))
    with (tmp_path / "rows.jsonl").open("a") as file:
        file.write("{broken\n")
    settings = TaskSettings(name="chats", source="rows.jsonl", wordings=("{{ chat }}",), answer="{{ summary }}")
    account = prepare(settings, seed=7, folder=tmp_path).account
    assert account["unassigned"] == {"read": 1, "used": 0, "set_aside": 1}
    assert sum(account[side]["read"] for side in ("train", "validation", "test", "unassigned")) == 61


def test_a_split_column_says_the_side(tmp_path: Path) -> None:
    content = [*rows(0, 3, split="train"), *rows(10, 12, split="dev"), *rows(20, 21, split="test")]
    done = from_source(tmp_path, content, split_column="split")
    assert [len(side) for side in (done.train, done.validation, done.test)] == [3, 2, 1]
    with pytest.raises(DataError, match=r"rows.jsonl, split_column: unknown column 'splti'; did you mean 'split'\?"):
        from_source(tmp_path, content, split_column="splti")
    with pytest.raises(DataError, match="rows.jsonl:7:split: unknown side 'tran'; did you mean 'train'"):
        from_source(tmp_path, [*content, *rows(30, 31, split="tran")], split_column="split")


def test_without_a_validation_file_teaching_rows_are_kept_back(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", rows(0, 90))
    write(tmp_path / "test.jsonl", rows(200, 203))
    asked: Row = {"wordings": ("{{ chat }}",), "answer": "{{ summary }}"}
    done = prepare(TaskSettings(name="chats", train="train.jsonl", test="test.jsonl", **asked), seed=7, folder=tmp_path)
    assert len(done.train) + len(done.validation) == 90
    assert 3 <= len(done.validation) <= 20
    assert len(done.test) == 3
    assert "kept back" in done.account["notes"][0]


def test_a_test_file_alone_is_judged_and_nothing_is_taught(tmp_path: Path) -> None:
    write(tmp_path / "test.jsonl", [*rows(0, 5), {"chat": "no answer", "summary": ""}])
    asked: Row = {"wordings": ("{{ chat }}",), "answer": "{{ summary }}"}
    done = prepare(TaskSettings(name="chats", test="test.jsonl", **asked), seed=7, folder=tmp_path)
    assert [example.prompt for example in done.test] == [f"chat number {number}" for number in range(5)]
    assert len(done.train) == len(done.validation) == 0
    assert done.account["test"] == {"read": 6, "used": 5, "set_aside": 1}
    assert done.account["notes"] == []
    write(tmp_path / "test.jsonl", [{"chat": "no answer", "summary": ""}])
    with pytest.raises(DataError, match="the test side has no usable row"):
        prepare(TaskSettings(name="chats", test="test.jsonl", **asked), seed=7, folder=tmp_path)


def test_references_are_the_judging_sides_and_the_answer_stands_in(tmp_path: Path) -> None:
    test: list[Row] = [
        {"chat": "a", "summary1": "one", "summary2": "two"},
        {"chat": "b", "summary1": "", "summary2": "two"},
        {"chat": "c", "summary1": "", "summary2": None},
    ]
    done = prepared(tmp_path, train=rows(0, 5), test=test, references=("summary1", "summary2"))
    assert [example.references for example in done.test] == [("one", "two"), ("two",)]
    assert done.validation[0].references == ("sum 100",)
    assert reasons(done) == [("test", "empty answer", 1)]
    with pytest.raises(TemplateError, match=r"references: unknown column 'summry1'.*\n.*Without `references`"):
        prepared(tmp_path, train=rows(0, 5), references=("summry1",))


def test_only_the_columns_that_are_shown_or_answer_are_kept(tmp_path: Path) -> None:
    done = prepared(tmp_path, train=rows(0, 5, notes="not shown", date=3), cut="chat")
    assert set(done.train.rows.table.column_names) == {"chat", "summary"}


def test_teaching_asks_all_wordings_and_judging_the_usual_one_with_its_references(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'answer = "{{ summary }}"\nreferences = ["one", "two"]\n'
        '[[wordings]]\nid = "back"\nprompt = "Chat: {{ summary }}"\nanswer = "{{ chat }}"\ninverted = true\n'
        '[[wordings]]\nid = "usual"\nprompt = "{{ chat }}"\n'
    )
    test = [{"chat": "a", "one": "x", "two": "y"}]
    done = prepared(tmp_path, train=rows(0, 30), test=test, template="own.toml")
    assert done.test[0].references == ("x", "y") and done.test[0].wording == "usual"
    back = [example for example in done.train if example.wording == "back"]
    assert 5 < len(back) < 25
    assert all(example.prompt.startswith("Chat: sum") and example.references[0].startswith("chat") for example in back)
    assert {example.content.split()[0] for example in done.train} == {"chat"}
    position = next(at for at, example in enumerate(done.train) if example.wording == "back")
    solved = done.train.with_solved(position, [0, 1, 2], count=2).shots
    assert len(solved) == 2 and all(shot.question.startswith("Chat: sum") for shot in solved)


def test_references_may_be_a_list_in_one_column(tmp_path: Path) -> None:
    test = rows(200, 201, answers={"text": ["one", "two"]}) + rows(201, 202, answers={"text": []})
    done = prepared(tmp_path, train=rows(0, 5), test=test, references="{{ answers.text }}")
    assert [example.references for example in done.test] == [("one", "two"), ("sum 201",)]
    assert done.validation[0].references == ("sum 100",)
    with pytest.raises(TemplateError, match=r"references: unknown column 'answrs'.*\n.*Without `references`"):
        prepared(tmp_path, train=rows(0, 5), test=test, references="{{ answrs.text }}")


def test_a_reference_column_may_hold_a_list_of_answers(tmp_path: Path) -> None:
    test: list[Row] = [{"chat": "a", "summaries": ["one", " ", "two"]}, {"chat": "b", "summaries": []}]
    done = prepared(tmp_path, train=rows(0, 5), test=test, references=("summaries",))
    assert [example.references for example in done.test] == [("one", "two")]
    assert reasons(done) == [("test", "empty answer", 1)]


def test_references_that_are_an_expression_are_not_those_of_a_wording_that_answers_itself(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'answer = "{{ summary }}"\nreferences = "{{ answers }}"\n'
        '[[wordings]]\nid = "mood"\nprompt = "{{ chat }} Friendly?"\nanswer = "{{ mood }}"\n'
        '[[wordings]]\nid = "usual"\nprompt = "{{ chat }}"\n'
    )
    train, validation = rows(0, 5, mood="yes"), rows(100, 103, mood="yes")
    test = rows(200, 201, mood="no", answers=["one", "two"])
    for wording, references in (("mood", ("no",)), ("usual", ("one", "two"))):
        done = prepared(
            tmp_path, train=train, validation=validation, test=test, template="own.toml", judge_wording=wording
        )
        assert done.test[0].references == references
        assert done.test.renderer.shot(test[0], wording=wording).answer == references[0]


def test_strict_names_row_column_expected_received_and_the_next_step(tmp_path: Path) -> None:
    train = [*rows(0, 3), {"chat": "x", "summary": ""}]
    with pytest.raises(DataError) as caught:
        prepared(tmp_path, train=train, strict=True)
    assert str(caught.value).splitlines() == [
        "train.jsonl:4:summary: empty answer",
        "  expected: an answer that a person gave",
        "  received: nothing",
        "  Mend or remove the row; without strict checking it is set aside and counted.",
    ]


def test_an_answer_beyond_the_choices_is_set_aside(tmp_path: Path) -> None:
    def sentiment(start: int, *answers: str) -> list[Row]:
        return [{"chat": f"chat {start + i}", "summary": answer} for i, answer in enumerate(answers)]

    done = prepared(
        tmp_path,
        train=sentiment(0, "good", "bad", "gud"),
        validation=sentiment(10, "good"),
        test=sentiment(20, "bad"),
        choices=("good", "bad"),
    )
    assert done.train[0].choices == ("good", "bad")
    assert reasons(done) == [("train", "the answer is none of the choices", 1)]


def test_choices_that_are_empty_or_the_same_are_set_aside_and_refused_where_the_study_lists_them(
    tmp_path: Path,
) -> None:
    def asked(start: int, *options: list[str]) -> list[Row]:
        return [{"chat": f"chat {start + i}", "summary": "good", "options": one} for i, one in enumerate(options)]

    fine = ["good", "bad"]
    done = prepared(
        tmp_path,
        train=asked(0, fine, ["good", " "], ["good", "bad", "good "], fine),
        validation=asked(10, fine),
        test=asked(20, fine),
        choices="{{ options }}",
    )
    assert len(done.train) == 2
    assert reasons(done) == [("train", "choices that are empty or the same", 2)]
    for choices, told in ((("good", ""), "a choice is empty"), (("good", "bad", "good"), "'good' stands there twice")):
        with pytest.raises(ValidationError, match=told):
            TaskSettings(name="chats", wordings=("{{ chat }}",), answer="{{ summary }}", choices=choices)


def test_a_row_on_which_the_template_fails_is_set_aside(tmp_path: Path) -> None:
    train = [*rows(0, 3, turns=["a"]), {"chat": "x", "summary": "y", "turns": []}]
    validation, test = rows(100, 101, turns=["a"]), rows(200, 201, turns=["a"])
    wordings = ("{{ chat }} {{ turns[0] }}",)
    done = prepared(tmp_path, train=train, validation=validation, test=test, wordings=wordings)
    assert reasons(done) == [("train", "the template fails on this row", 1)]


def test_all_that_is_wrong_is_told_together(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [{"chatt": "a", "summary": "b"}])
    (tmp_path / "dev.jsonl").write_text("")
    settings = TaskSettings(
        name="chats",
        train="train.jsonl",
        validation="dev.jsonl",
        test="tests.jsonl",
        wordings=("{{ chat }}",),
        answer="{{ summary }}",
    )
    with pytest.raises(Problems) as caught:
        prepare(settings, seed=7, folder=tmp_path)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 3
    assert told[0] == "dev.jsonl: the file is empty\n  expected: at least one row\n  received: 0 bytes"
    assert told[1].startswith("tests.jsonl: no such file")
    assert told[2] == (
        "train.jsonl, template 'chats', wording '1', line 1: unknown column 'chat'; did you mean 'chatt'? "
        "(known: chatt, summary)"
    )


def test_a_broken_template_is_told_once_for_all_files(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="template 'chats', wording '1', line 1: the template is broken"):
        prepared(tmp_path, train=rows(0, 3), wordings=("{{ chat",))
    with pytest.raises(TemplateError, match="received: __class__"):
        prepared(tmp_path, train=rows(0, 3), wordings=("{{ chat.__class__ }}",))


def test_an_unknown_template_or_wording_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="unknown template 'suport-chats'; did you mean 'support_chats'"):
        prepared(tmp_path, train=rows(0, 3), template="suport-chats")
    with pytest.raises(TemplateError, match="unknown wording 'shrot'; did you mean 'short'"):
        prepared(tmp_path, train=rows(0, 3), template="support-chats", judge_wording="shrot")


def test_a_side_without_usable_rows_is_refused_with_the_reasons(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the test side has no usable row") as caught:
        prepared(tmp_path, train=rows(0, 3), test=[{"chat": "a", "summary": ""}, {"chat": "b", "summary": None}])
    assert caught.value.received == "2 × empty answer (test.jsonl:1, nothing)"
    assert caught.value.hint == "Mend the rows, or what the task says of them."


def test_a_side_emptied_by_another_cause_says_so_and_shows_a_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the train side has no usable row") as caught:
        prepared(tmp_path, train=rows(200, 202), test=rows(200, 203))
    assert caught.value.received == "2 × also on the test side (train.jsonl:1, as test.jsonl:1)"
    assert "stand on no other side" in str(caught.value.hint)
    with pytest.raises(DataError, match="the train side has no usable row") as caught:
        prepared(tmp_path, train=rows(0, 3), choices=("yes", "no"))
    assert caught.value.received == "3 × the answer is none of the choices (train.jsonl:1, 'sum 0')"
    with pytest.raises(DataError, match="the validation side has no usable row") as caught:
        from_source(tmp_path, rows(0, 1))
    assert caught.value.received == "no row was dealt to it"


def test_the_template_may_come_from_a_file_and_be_overridden(tmp_path: Path) -> None:
    suggested = 'answer = "{{ summary }}"\nmetrics = ["rouge"]\nprimary = "rouge1"\n'
    (tmp_path / "mine.toml").write_text(suggested + '[[wordings]]\nid = "x"\nprompt = "Q: {{ chat }}"\n')
    done = prepared(tmp_path, train=rows(0, 3), template="mine.toml")
    assert done.test[0].prompt == "Q: chat number 200"
    assert (done.metrics, done.primary) == (("rouge",), "rouge1")
    own = prepared(tmp_path, train=rows(0, 3), template="mine.toml", wordings=("A: {{ chat }}",), metrics=("bleu",))
    assert own.test[0].prompt == "A: chat number 200"
    assert (own.metrics, own.primary) == (("bleu",), None)


def test_settings_that_contradict_each_other_are_refused() -> None:
    asked: Row = {"name": "chats", "template": "support_chats"}
    mistakes: list[tuple[Row, str]] = [
        ({"source": "a.csv", "train": "b.csv"}, "not both"),
        ({"train": "b.csv"}, "`train` and `test`"),
        ({"train": "b.csv", "test": "b.csv"}, "give it as `source`"),
        ({"train": "a", "test": "b", "split_column": "c"}, "`split_column` is a column of `source`"),
        ({"source": "a", "template": None}, "give a `template`"),
        ({"source": "a", "fractions": {"train": 0.5, "validation": 0.1, "test": 0.1}}, "add up to 0.7"),
        ({"source": "a", "choices": "options"}, "a list of answers, or an expression"),
        ({"source": "a", "tempalte": "b"}, "Extra inputs are not permitted"),
    ]
    for wrong, told in mistakes:
        with pytest.raises(ValidationError, match=told):
            TaskSettings(**{**asked, **wrong})


def test_every_setting_has_its_sentence() -> None:
    assert all(field.description for field in TaskSettings.model_fields.values())


@pytest.mark.data
def test_dialogsums_known_overlap_is_found(data_folder: Path) -> None:
    settings = TaskSettings(
        name="dialogsum",
        train="dialogsum.train.jsonl",
        validation="dialogsum.dev.jsonl",
        test="dialogsum.test.jsonl",
        template="dialogsum",
    )
    account = prepare(settings, seed=7, folder=data_folder / "dialogsum").account
    # Counted over the files by exact text, apart from this code.
    assert [account[side]["read"] for side in ("train", "validation", "test")] == [12_460, 500, 500]
    assert account["overlap"]["validation"]["judging_rows"] == 33
    assert account["overlap"]["test"]["judging_rows"] == 1
    assert account["duplicates"]["train"] == 647
    assert account["train"]["used"] == 12_460 - 34


@pytest.mark.data
def test_samsums_known_overlap_is_found(data_folder: Path) -> None:
    settings = TaskSettings(
        name="samsum",
        train="train.jsonl",
        validation="val.jsonl",
        test="test.jsonl",
        wordings=("{{ dialogue }}",),
        answer="{{ summary }}",
    )
    account = prepare(settings, seed=7, folder=data_folder / "samsum").account
    assert account["overlap"]["validation"]["judging_rows"] == 47
    assert account["overlap"]["test"]["judging_rows"] == 42
    assert {"side": "train", "reason": "empty prompt"}.items() <= account["set_aside"][-1].items()


def test_inverted_wordings_ask_as_large_a_share_of_the_taught_rows_as_is_told(tmp_path: Path) -> None:
    (tmp_path / "both.toml").write_text(
        'answer = "{{ reply }}"\n'
        '[[wordings]]\nid = "usual"\nprompt = "Answer: {{ message }}"\n'
        '[[wordings]]\nid = "turned"\nprompt = "Ask for: {{ reply }}"\nanswer = "{{ message }}"\ninverted = true\n'
    )
    lines = [json.dumps({"message": f"What is {n}?", "reply": f"It is {n}"}) for n in range(2_000)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    settings = TaskSettings(name="both", source="rows.jsonl", template="both.toml")

    def share(inverted: float | None) -> float:
        train = prepare(settings, seed=1, folder=tmp_path, inverted=inverted).train
        return sum(example.wording == "turned" for example in train) / len(train)

    assert share(0) == 0
    assert share(0.2) == pytest.approx(0.2, abs=0.03)
    assert share(None) == pytest.approx(0.5, abs=0.04)
