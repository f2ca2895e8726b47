from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afters.data.conversations import parted
from afters.data.task import Prepared, TaskSettings, prepare
from afters.errors import DataError
from afters.records import Shot

Row = dict[str, Any]


def turns(*said: tuple[str, str]) -> list[Row]:
    return [{"role": speaker, "content": text} for speaker, text in said]


def prepared(folder: Path, rows: list[Row], *, strict: bool = False, **settings: Any) -> Prepared:
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    told = {"name": "c", "source": "rows.jsonl", "template": "conversation", "split_column": "side", **settings}
    return prepare(TaskSettings(**told), seed=1, folder=folder, strict=strict)


def dialogue(number: int, side: str) -> Row:
    long = [("user", f"hi {number}"), ("assistant", "hello"), ("user", "and now?"), ("assistant", f"bye {number}")]
    short = [("user", f"hi {number}"), ("assistant", f"bye {number}")]
    return {"messages": turns(("system", "Be kind."), *(long if number % 2 else short)), "side": side}


def dialogues() -> list[Row]:
    sides = ["train"] * 8 + ["validation", "test", "test"]
    return [dialogue(number, side) for number, side in enumerate(sides)]


def test_the_last_answer_is_taught_and_what_came_before_is_asked(tmp_path: Path) -> None:
    done = prepared(tmp_path, dialogues())
    asked = {example.references[0]: example for example in (*done.train, *done.test)}
    assert asked["bye 1"].prompt == "and now?" and asked["bye 1"].system == "Be kind."
    assert asked["bye 1"].shots == (Shot("hi 1", "hello"),)
    assert asked["bye 2"].prompt == "hi 2" and asked["bye 2"].shots == ()
    assert len({example.content for example in asked.values()}) == len(asked)  # earlier turns count


def test_only_whole_conversations_are_shown_as_solved_examples(tmp_path: Path) -> None:
    done = prepared(tmp_path, dialogues())
    shown = done.test.with_shots(2, pool=done.train)
    assert all(example.shots[0].question.startswith("hi") for example in shown)
    long = next(example for example in shown if example.prompt == "and now?")
    assert [shot.answer[:3] for shot in long.shots] == ["bye", "bye", "hel"]


def test_solved_examples_stand_before_the_conversation_and_are_whole_ones_themselves(tmp_path: Path) -> None:
    done = prepared(tmp_path, dialogues())
    position = next(at for at, example in enumerate(done.train) if example.shots)
    example = done.train.with_solved(position, range(len(done.train)), count=2)
    assert [shot.answer[:3] for shot in example.shots] == ["bye", "bye", "hel"]


def test_sharegpts_names_are_known() -> None:
    said = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
    assert parted(said) == {"question": "hi", "answer": "hello", "system": "", "turns": []}
    parts = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, {"role": "assistant", "content": "hello"}]
    assert parted(json.dumps(parts))["question"] == "hi"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (turns(("user", "a")), "a conversation that ends with the user"),
        (turns(("system", "a")), "a conversation that ends with the user"),
        (turns(("user", "a"), ("user", "b"), ("assistant", "c")), "a conversation that is no to and fro"),
        (turns(("assistant", "a"), ("user", "b"), ("assistant", "c")), "a conversation that is no to and fro"),
        (turns(("user", "a"), ("tool", "b"), ("assistant", "c")), "a conversation with a tool"),
        (
            [*turns(("user", "a")), {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}],
            "a conversation with a tool",
        ),
        (turns(("user", "a"), ("system", "b"), ("assistant", "c")), "a system part in the middle of a conversation"),
        (turns(("user", " "), ("assistant", "c")), "an empty turn"),
        (turns(("user", "a"), ("wizard", "c")), "an unknown speaker"),
        ([{"role": "user", "content": 3}], "a turn that is no text"),
        ([], "no turns"),
        ("hello", "no turns"),
        (["a"], "an unknown speaker"),
    ],
)
def test_what_does_not_fit_has_its_reason(said: object, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        parted(said)


def test_what_does_not_fit_is_set_aside_and_counted(tmp_path: Path) -> None:
    rows = [*dialogues(), {"messages": turns(("user", "a")), "side": "train"}]
    done = prepared(tmp_path, rows)
    (group,) = done.account["set_aside"]
    assert (group["reason"], group["count"]) == ("a conversation that ends with the user", 1)
    assert group["examples"][0]["source"] == "rows.jsonl:12"
    with pytest.raises(DataError, match="rows.jsonl:12:messages: a conversation that ends with the user"):
        prepared(tmp_path, rows, strict=True)
    with pytest.raises(DataError, match="no conversations"):
        prepared(tmp_path, [{"text": "a", "side": "train"}])
    with pytest.raises(DataError, match="no usable conversation"):
        prepared(tmp_path, rows[-1:])


def test_half_a_character_inside_text_is_set_aside(tmp_path: Path) -> None:
    # A column of several types is kept as text, and so is one of CSV: the turns are JSON in it.
    broken = [turns(("user", "a"), ("assistant", "\ud83d")), [{"role": "\ud83d", "content": "a"}]]
    rows: list[Row] = [*dialogues(), *({"messages": json.dumps(said), "side": "train"} for said in broken)]
    done = prepared(tmp_path, rows)
    (group,) = done.account["set_aside"]
    assert (group["reason"], group["count"]) == ("not Unicode", 2)
    assert group["examples"][0]["source"] == "rows.jsonl:12"
    json.dumps(done.account, ensure_ascii=False).encode()
    with pytest.raises(DataError, match="rows.jsonl:12:messages: not Unicode\n.*text\n.*half a character"):
        prepared(tmp_path, rows, strict=True)


def test_alpacas_rows_are_asked_with_or_without_an_input(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"Say {number}.", "input": "loud" if number % 2 else "", "output": str(number)}
        for number in range(40)
    ]
    done = prepared(tmp_path, rows, template="alpaca", split_column=None)
    prompts = {example.references[0]: example.prompt for example in (*done.test, *done.validation)}
    for answer, prompt in prompts.items():
        assert prompt == (f"Say {answer}.\n\nloud" if int(answer) % 2 else f"Say {answer}.")
    assert {example.wording for example in done.train} == {"plain", "headed"}
    headed = [example.prompt for example in done.train if example.wording == "headed"]
    assert all("Input:" in prompt for prompt in headed if "loud" in prompt)
    assert "\n\n\n" not in "".join(headed)
