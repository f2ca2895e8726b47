from __future__ import annotations

import math
import time
from typing import Any

import numpy as np

from afters.data.columns import to_table
from afters.data.dataset import Dataset
from afters.data.nearest import NearestNeighbour
from afters.data.render import Renderer
from afters.data.sources import Rows
from afters.data.split import Side, content_of, digest, ids_of
from afters.data.template import from_settings
from afters.records import Decoding, Shot


def dataset(
    rows: list[tuple[str, str]], *, side: Side = "train", judge_wording: str | None = None, **settings: Any
) -> Dataset:
    table = [{"chat": chat, "summary": summary, "turns": [TURN] * (chat == "and now?")} for chat, summary in rows]
    told = {"name": "chats", "wordings": [{"id": "ask", "prompt": "{{ chat }}"}], "answer": "{{ summary }}", **settings}
    renderer = Renderer("chats", from_settings(told, where="test"), side, 7, judge_wording)
    ids = ids_of(digest(content_of(row, ["chat"])) for row in table)
    return Dataset(Rows(to_table(table), "a.csv", np.arange(len(rows))), ids, renderer)


TURN = {"question": "hi", "answer": "hello"}

TEACHING = [
    ("the parcel of the customer is late", "late parcel"),
    ("the invoice of the customer is wrong", "wrong invoice"),
    ("the password of the customer is lost", "lost password"),
    ("the password of the customer is lost", "password gone"),
]


def answers(questions: list[str], teaching: Dataset | None = None) -> list[str]:
    model = NearestNeighbour(teaching or dataset(TEACHING))
    asked = dataset([(question, "?") for question in questions], side="test")
    return [prediction.answers[0] for batch in model.generate(asked, Decoding()) for prediction in batch]


def test_rare_words_weigh_more_than_common_ones() -> None:
    assert answers(["My INVOICE!", "the the the customer of parcel"]) == ["wrong invoice", "late parcel"]


def test_of_equally_similar_rows_the_first_answers() -> None:
    assert answers(["lost password", "zzz"]) == ["lost password", "late parcel"]


INVERTED = {"id": "back", "prompt": "Chat: {{ summary }}", "answer": "{{ chat }}", "inverted": True}
MOOD = {"id": "mood", "prompt": "{{ chat }} True or False?", "answer": "{{ 'True' if summary == 'yes' else 'False' }}"}
ASK = {"id": "ask", "prompt": "{{ chat }}"}


def test_a_row_answers_as_judging_asks_whatever_wording_teaches_it() -> None:
    inverted = dataset(TEACHING, wordings=[INVERTED, ASK])
    assert {example.wording for example in inverted} == {"back", "ask"}
    chats = [chat for chat, _ in TEACHING[:3]]
    assert answers(chats, inverted) == ["late parcel", "wrong invoice", "lost password"]
    rows = [(f"chat {number}", "yes" if number % 2 else "no") for number in range(20)]
    chats = [chat for chat, _ in rows]
    assert answers(chats, dataset(rows, wordings=[ASK, MOOD])) == [answer for _, answer in rows]
    in_mood = dataset(rows, wordings=[ASK, MOOD], judge_wording="mood")
    assert set(answers(chats, in_mood)) == {"True", "False"}
    assert NearestNeighbour(in_mood).identity != NearestNeighbour(dataset(rows, wordings=[ASK, MOOD])).identity


def test_a_row_that_judging_cannot_ask_does_not_answer() -> None:
    wordings = [{"id": "ask", "prompt": "{% if 'parcel' in chat %}{{ chat }}{% endif %}"}, INVERTED]
    some = dataset(TEACHING, wordings=wordings)
    assert answers(["the invoice of the customer"], some) == ["late parcel"]
    none = dataset(TEACHING[1:], wordings=wordings)
    assert answers(["the invoice of the customer"], none) == [""]
    asked = dataset([("password", "a")], side="test", choices=["a", "b"])
    ((prediction,),) = NearestNeighbour(none).loglikelihood(asked)
    assert [math.exp(choice.log_probability) for choice in prediction.choices] == [0.5, 0.5]


def test_conversations_of_several_turns_answer_too() -> None:
    talks = dataset([("hi there", "hello"), ("and now?", "bye")], turns="turns")
    assert talks[1].shots == (Shot("hi", "hello"),)
    assert answers(["hi there", "what now"], talks) == ["hello", "bye"]


def test_similarity_is_the_cosine_of_tf_idf() -> None:
    # Worked by hand: of 2 rows, "a" stands in both (idf ln(3/3) + 1 = 1), "b" in one (idf ln(3/2) + 1 = 1.405).
    model = NearestNeighbour(dataset([("a a b", "x"), ("a", "y")]))
    (batch,) = model._batches(dataset([("b a", "?")], side="test"), ())
    rare = math.log(3 / 2) + 1
    first = (2 * 1 + rare * rare) / (math.hypot(2, rare) * math.hypot(1, rare))
    np.testing.assert_allclose(batch[1], [[first, 1 / math.hypot(1, rare)]], rtol=1e-12)


def test_choices_are_scored_by_the_nearest_row_that_answers_one() -> None:
    offered = ["wrong invoice", "late parcel"]
    model = NearestNeighbour(dataset(TEACHING))
    asked = dataset([("password lost or parcel late", "late parcel")], side="test", choices=offered)
    ((prediction,),) = model.loglikelihood(asked)
    assert [choice.log_probability for choice in prediction.choices] == [-math.inf, 0.0]
    nobody = dataset([("password", "a")], side="test", choices=["a", "b"])
    ((prediction,),) = model.loglikelihood(nobody)
    assert [math.exp(choice.log_probability) for choice in prediction.choices] == [0.5, 0.5]


def test_a_batch_that_is_done_is_not_asked_again() -> None:
    model = NearestNeighbour(dataset(TEACHING))
    asked = dataset([(f"question {number}", "?") for number in range(100)], side="test")
    whole = [len(batch) for batch in model.generate(asked, Decoding())]
    assert whole == [64, 36]
    assert [len(batch) for batch in model.generate(asked, Decoding(), done=set(asked.ids[:64]))] == [36]
    assert [len(batch) for batch in model.generate(asked, Decoding(), done=set(asked.ids[:63]))] == [64, 36]


def test_it_is_told_from_the_same_over_other_rows() -> None:
    assert NearestNeighbour(dataset(TEACHING)).identity != NearestNeighbour(dataset(TEACHING[:2])).identity


def test_five_hundred_questions_over_twelve_thousand_rows_take_seconds() -> None:
    chance = np.random.Generator(np.random.Philox(7))
    words = np.array([f"w{number}" for number in range(5_000)])

    def rows(count: int) -> list[tuple[str, str]]:
        drawn = words[(5_000 * chance.random((count, 60)) ** 3).astype(int)]
        return [(" ".join(row), "answer") for row in drawn]

    teaching, judged = dataset(rows(12_000)), dataset(rows(500), side="test")
    began = time.process_time()
    list(NearestNeighbour(teaching).generate(judged, Decoding()))
    assert time.process_time() - began < 10  # 2.4 s where it was written
