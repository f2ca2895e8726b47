from __future__ import annotations

import math
import time

import numpy as np

from afters.data.columns import to_table
from afters.data.dataset import Dataset
from afters.data.nearest import NearestNeighbour
from afters.data.render import Renderer
from afters.data.sources import Rows
from afters.data.split import Side, content_of, digest, ids_of
from afters.data.template import from_settings
from afters.records import Decoding


def dataset(rows: list[tuple[str, str]], *, side: Side = "train", choices: list[str] | None = None) -> Dataset:
    table = [{"chat": chat, "summary": summary} for chat, summary in rows]
    wordings = [{"id": "ask", "prompt": "{{ chat }}"}]
    settings = {"name": "chats", "wordings": wordings, "answer": "{{ summary }}", "choices": choices}
    renderer = Renderer("chats", from_settings(settings, where="test"), side, 7)
    ids = ids_of(digest(content_of(row, ["chat"])) for row in table)
    return Dataset(Rows(to_table(table), "a.csv", np.arange(len(rows))), ids, renderer)


TEACHING = [
    ("the parcel of the customer is late", "late parcel"),
    ("the invoice of the customer is wrong", "wrong invoice"),
    ("the password of the customer is lost", "lost password"),
    ("the password of the customer is lost", "password gone"),
]


def answers(questions: list[str]) -> list[str]:
    model = NearestNeighbour(dataset(TEACHING))
    asked = dataset([(question, "?") for question in questions], side="test")
    return [prediction.answers[0] for batch in model.generate(asked, Decoding()) for prediction in batch]


def test_rare_words_weigh_more_than_common_ones() -> None:
    assert answers(["My INVOICE!", "the the the customer of parcel"]) == ["wrong invoice", "late parcel"]


def test_of_equally_similar_rows_the_first_answers() -> None:
    assert answers(["lost password", "zzz"]) == ["lost password", "late parcel"]


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
