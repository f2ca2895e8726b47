from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from afters.data.columns import to_table
from afters.data.dataset import Dataset
from afters.data.render import Renderer
from afters.data.sources import Rows
from afters.data.split import Side, content_of, digest, ids_of
from afters.data.template import from_settings
from afters.errors import DataError

WORDINGS = [{"id": name, "prompt": f"{name}: {{{{ chat }}}}"} for name in ("sum", "gist", "note", "tell")]


def dataset(
    chats: list[str], *, side: Side = "train", seed: int = 7, answers: list[str] | None = None, **more: Any
) -> Dataset:
    table = [{"chat": chat, "summary": f"s of {chat}"} for chat in chats]
    if answers:
        table = [{**row, "summary": answer} for row, answer in zip(table, answers, strict=True)]
    settings = {"name": "chats", "wordings": WORDINGS, "answer": "{{ summary }}", "cut": "chat", **more}
    renderer = Renderer("chats", from_settings(settings, where="test"), side, seed)
    ids = ids_of(digest(content_of(row, ["chat"])) for row in table)
    return Dataset(Rows(to_table(table), "a.csv", np.arange(2, len(chats) + 2)), ids, renderer)


def chats(stop: int) -> list[str]:
    return [f"chat {number}" for number in range(stop)]


def test_an_example_tells_what_a_row_says() -> None:
    example = dataset(["Hello   You", "b"], side="test")[0]
    assert example.prompt == "sum: Hello   You"
    assert example.references == ("s of Hello   You",)
    assert example.content == "hello you"
    assert example.cluster == example.id == example.group == digest("hello you")
    assert (example.source, example.task, example.wording) == ("a.csv:2", "chats", "sum")
    assert example.cuttable is not None
    assert example.prompt[slice(*example.cuttable)] == "Hello   You"


def test_nothing_is_cuttable_where_the_template_changes_the_column() -> None:
    wordings = [{"id": "loud", "prompt": "{{ chat | upper }}"}]
    assert dataset(["hello"], side="test", wordings=wordings)[0].cuttable is None


def test_a_dataset_is_a_sequence() -> None:
    made = dataset(chats(5))
    assert len(made) == 5
    assert list(made) == [made[index] for index in range(5)] == made[:]
    assert made[-1] == made[4] and made[1:3] == [made[1], made[2]]
    with pytest.raises(IndexError):
        made[5]


def test_teaching_draws_wordings_evenly_and_judging_asks_one() -> None:
    drawn = Counter(example.wording for example in dataset(chats(400)))
    assert set(drawn) == {"sum", "gist", "note", "tell"}
    assert all(abs(count - 100) < 40 for count in drawn.values())  # four and a half standard deviations
    assert {example.wording for example in dataset(chats(50), side="validation")} == {"sum"}


def test_adding_rows_moves_no_id_and_no_wording() -> None:
    before = {example.id: example.prompt for example in dataset(chats(20))}
    after = {example.id: example.prompt for example in dataset(["new", *chats(20)])}
    assert before.items() <= after.items()


def test_repeated_content_has_ids_of_its_own_and_one_cluster() -> None:
    first, second = dataset(["Same", " same"])
    assert first.cluster == second.cluster
    assert second.id == f"{first.id}-2"


def test_the_fingerprint_changes_with_rows_template_side_and_seed() -> None:
    variants = [
        dataset(chats(3)),
        dataset(chats(4)),
        dataset(chats(3), answers=["x", "y", "z"]),
        dataset(chats(3), side="test"),
        dataset(chats(3), answer="{{ chat }}"),
        dataset(chats(3), seed=8),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert dataset(chats(3)).fingerprint == variants[0].fingerprint
    assert len(variants[0].fingerprint) == 64


def test_shots_have_a_fingerprint_of_their_own() -> None:
    judged = dataset(["q", "r"], side="test")
    shown = [judged.with_shots(count, pool=dataset(chats(size))) for size in (20, 30) for count in (1, 2)]
    assert len({one.shots_fingerprint for one in shown}) == 4
    assert {one.fingerprint for one in shown} == {judged.fingerprint}
    assert judged.shots_fingerprint == "0"


def test_a_judging_side_is_the_same_under_another_seed() -> None:
    assert dataset(chats(3), side="test", seed=8).fingerprint == dataset(chats(3), side="test").fingerprint


def test_one_shot_is_the_first_of_two_and_all_rows_have_the_same() -> None:
    pool, judged = dataset(chats(50)), dataset(["q", "r"], side="test")
    one, two = judged.with_shots(1, pool=pool), judged.with_shots(2, pool=pool)
    assert len(two[0].shots) == 2
    assert one[0].shots == two[0].shots[:1] == two[1].shots[:1]
    assert all(shot.question.startswith("sum: ") and shot.answer.startswith("s of ") for shot in two[0].shots)
    assert judged.with_shots(0, pool=pool)[0] == judged[0]


def test_shots_are_no_longer_than_the_median() -> None:
    pool = dataset([f"c{number} " + "word " * number for number in range(41)])
    for example in dataset(["q"], side="test").with_shots(20, pool=pool):
        assert max(len(shot.question) for shot in example.shots) <= len("sum: c20 " + "word " * 20)


def test_a_row_is_never_its_own_shot() -> None:
    pool = dataset(chats(20))
    shown = pool.with_shots(3, pool=pool)
    assert not any(shot.question == f"sum: {example.content}" for example in shown for shot in example.shots)
    assert len({example.shots for example in shown}) > 1, "some row would have been its own shot"
    assert {len(example.shots) for example in shown} == {3}


def test_shots_show_different_choices_first() -> None:
    answers = ["yes"] * 28 + ["no"] * 2
    pool = dataset([f"chat {number:02}" for number in range(30)], answers=answers, choices=["yes", "no"])
    (example,) = dataset(["q"], side="test", answers=["no"], choices=["yes", "no"]).with_shots(4, pool=pool)
    assert Counter(shot.answer for shot in example.shots) == {"yes": 2, "no": 2}
    assert example.shots[0].answer != example.shots[1].answer


def test_too_few_shots_are_refused() -> None:
    with pytest.raises(DataError, match="too few shots(.|\n)*expected: 3 teaching rows(.|\n)*received: 2"):
        dataset(["q"], side="test").with_shots(3, pool=dataset(["a", "b", "a much longer one", "one longer than that"]))


def test_taking_more_keeps_what_was_taken() -> None:
    made = dataset(chats(50))
    fewer, more = made.take(10, seed=7), made.take(20, seed=7)
    assert len(fewer) == 10 and set(fewer.ids) < set(more.ids)
    assert fewer[0] in list(made)
    assert made.take(None, seed=7).ids == made.ids
