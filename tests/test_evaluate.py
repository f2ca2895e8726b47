from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from afters.data.dataset import Dataset
from afters.errors import DataError, SettingsError
from afters.evaluate import evaluate, identity, remarks, score_files, score_texts
from afters.metrics.match import Accuracy, ExactMatch
from afters.metrics.table import NEED_LIKELIHOODS, metric_for
from afters.records import Decoding, Example, Prediction, Result
from afters.testing import ScriptedModel, examples

DECODING = Decoding(max_new_tokens=8)


class Asked:
    """All that `evaluate` needs of a Dataset."""

    task = "chats"
    fingerprint = "f1"
    shots_fingerprint = "0"

    def __init__(self, rows: list[Example]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Example]:
        return iter(self.rows)


def dataset(rows: list[Example]) -> Dataset:
    return cast(Dataset, Asked(rows))


OPEN = examples(("Is it cold?", "yes"), ("Is it late?", "no"), ("Is it new?", "yes"), ("Is it far?", "no"))
CLOSED = [replace(one, id=f"c{one.id}", group=f"c{one.id}", choices=("yes", "no")) for one in OPEN]
MODEL = {"Is it cold?": "yes", "Is it late?": "yes", "Is it new?": "yes"}


def judged(model: ScriptedModel, rows: list[Example], **options: object) -> Result:
    return evaluate(
        model,
        dataset(rows),
        label="before",
        decoding=DECODING,
        metrics=[ExactMatch()],
        **options,  # type: ignore[arg-type]
    )


def test_answers_are_scored_example_by_example_in_the_datasets_order() -> None:
    result = judged(ScriptedModel(MODEL, batch_rows=3), OPEN)
    assert [case.id for case in result.cases] == ["0", "1", "2", "3"]
    assert [case.predictions[0].answers for case in result.cases] == [("yes",), ("yes",), ("yes",), ("",)]
    assert result.rows == {"exact_match": ((1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 1.0))}
    (score,) = result.scores
    assert (score.name, score.value, score.judged, score.unjudged) == ("exact_match", 0.5, 4, 0)
    assert (result.label, result.task) == ("before", "chats")


def test_examples_with_choices_are_asked_how_probable_each_is() -> None:
    model = ScriptedModel({**MODEL, "Is it far?": "no"})
    result = evaluate(
        model, dataset([*CLOSED, *OPEN]), label="x", decoding=DECODING, metrics=[Accuracy(), ExactMatch()]
    )
    by_id = {case.id: case.predictions[0] for case in result.cases}
    for example in CLOSED:
        assert len(by_id[example.id].choices) == 2
        assert by_id[example.id].answers == (model._answer(example.prompt),)
    assert all(by_id[example.id].choices == () for example in OPEN)
    accuracy, exact = result.scores
    assert (accuracy.value, accuracy.judged, accuracy.unjudged) == (0.75, 4, 4), "without choices it cannot be judged"
    assert exact.value == 0.75


def test_of_equally_probable_choices_the_first_is_taken() -> None:
    (case,) = judged(ScriptedModel({}), CLOSED[:1]).cases
    assert case.predictions[0].answers == ("yes",)


def test_a_group_is_one_case_where_its_first_example_stands() -> None:
    twins = [replace(one, group="g", cluster="passage") for one in (OPEN[1], OPEN[3])]
    result = judged(
        ScriptedModel({**MODEL, "Is it late?": "no", "Is it far?": "no"}), [OPEN[0], twins[0], OPEN[2], twins[1]]
    )
    assert [case.id for case in result.cases] == ["0", "g", "2"]
    assert [one.id for one in result.cases[1].examples] == ["1", "3"]
    assert [one.example for one in result.cases[1].predictions] == ["1", "3"]
    assert result.cases[1].cluster == "passage"
    assert result.scores[0].judged == 3
    half_wrong = judged(ScriptedModel({**MODEL, "Is it late?": "no"}), [OPEN[0], twins[0], OPEN[2], twins[1]])
    assert half_wrong.scores[0].value == pytest.approx(2 / 3)


def test_examples_without_a_group_stand_alone() -> None:
    result = judged(ScriptedModel(MODEL), [replace(one, group="", cluster="") for one in OPEN])
    assert [case.id for case in result.cases] == ["0", "1", "2", "3"]
    assert len({case.cluster for case in result.cases}) == 4


def test_answers_that_are_known_are_not_asked_again() -> None:
    whole, kept = judged(ScriptedModel(MODEL), OPEN + CLOSED), list[Prediction]()
    stopping = ScriptedModel(MODEL, batch_rows=3)

    def keep(batch: list[Prediction]) -> None:
        kept.extend(batch)
        if len(kept) > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        judged(stopping, OPEN + CLOSED, keep=keep)
    assert [one.example for one in kept] == ["0", "1", "2", "3"]
    again, told = ScriptedModel(MODEL, batch_rows=3), list[int]()
    known = {one.example: one for one in kept}
    result = judged(again, OPEN + CLOSED, known=known, keep=kept.extend, on_answers=told.append)
    assert again.asked == ["c0", "c1", "c2", "c3"]
    assert told == [4, 3, 1]
    assert result.cases == whole.cases
    assert result.scores == whole.scores
    assert len(kept) == 8, "each answer is kept once"
    third = ScriptedModel(MODEL, batch_rows=3)
    assert judged(third, OPEN + CLOSED, known={one.example: one for one in kept}).cases == whole.cases
    assert third.asked == []


def test_a_batch_that_is_half_known_is_asked_whole_and_what_was_known_stays() -> None:
    model, kept = ScriptedModel(MODEL, batch_rows=2), list[Prediction]()
    known = {"0": Prediction("0", answers=("kept",))}
    result = judged(model, OPEN, known=known, keep=kept.extend)
    assert model.asked == ["0", "1", "2", "3"]
    assert result.cases[0].predictions[0].answers == ("kept",)
    assert [one.example for one in kept] == ["1", "2", "3"]


def test_the_identity_is_everything_that_decides_the_answers() -> None:
    model, asked = ScriptedModel(MODEL), dataset(OPEN)
    told = identity(model, asked, DECODING)
    assert told["weights"] == "scripted"
    assert json.loads(told["decoding"]) == {"max_new_tokens": 8, "method": "greedy"}
    other = Asked(OPEN)
    other.shots_fingerprint = "1:abc"
    changed = [
        identity(ScriptedModel(MODEL, name="tuned"), asked, DECODING),
        identity(model, asked, Decoding(max_new_tokens=9)),
        identity(model, cast(Dataset, other), DECODING),
    ]
    assert all(one != told for one in changed)
    assert judged(model, OPEN).identity == told


def test_files_of_answers_are_scored_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_text("yes\nno\u2028no\n\nyes\n", encoding="utf-8")
    (tmp_path / "first.txt").write_text("yes\nno\u2028no\nno\nno", encoding="utf-8")
    (tmp_path / "second.txt").write_bytes(b"no\r\nno\r\nno\r\nyes\r\n")
    result = score_files(
        metric_for("exact_match"), tmp_path / "answers.txt", [tmp_path / "first.txt", tmp_path / "second.txt"]
    )
    assert [row and row[0] for row in result.rows["exact_match"]] == [1.0, 1.0, 0.0, 1.0]
    assert result.label == "answers.txt"


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_text("yes\nno\n", encoding="utf-8-sig")
    (tmp_path / "references.txt").write_text("yes\nno\n", encoding="utf-8")
    for answers, right in (("answers.txt", "references.txt"), ("references.txt", "answers.txt")):
        result = score_files(metric_for("exact_match"), tmp_path / answers, [tmp_path / right])
        assert result.score("exact_match").value == 1.0


def test_empty_answers_are_scored_and_counted(tmp_path: Path) -> None:
    (tmp_path / "answers.txt").write_text("\nIt is cold\n\n")
    (tmp_path / "right.txt").write_text("It is cold\nIt is cold\nПривет\n")
    rouge = metric_for("rouge1")
    result = score_files(rouge, tmp_path / "answers.txt", [tmp_path / "right.txt"])
    assert (result.score("rouge1").value, result.score("rouge1").judged) == (1 / 3, 3)
    empty, unread = remarks(result, [rouge])
    assert empty == "2 of 3 answers are empty, and scored as they are"
    assert "1 of 3 references" in unread and 'words = "unicode"' in unread


def test_labels_are_the_different_lines_of_the_first_references(tmp_path: Path) -> None:
    answers, references = tmp_path / "answers.txt", tmp_path / "references.txt"
    answers.write_text("b\nB\nc\nz\n")
    references.write_text("b\na\nc\n b\n")
    # b: once chosen rightly, of 2 chosen and 2 right; a: missed; c: right.
    (score,) = score_files(metric_for("macro_f1"), answers, [references]).scores
    assert score.value == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert score.judged == 4
    references.write_text("\n".join(map(str, range(1001))))
    answers.write_text("\n".join(map(str, range(1001))))
    with pytest.raises(DataError, match="these are texts, not labels"):
        score_files(metric_for("matthews"), answers, [references])


def test_lines_of_text_do_not_say_how_probable_choices_were(tmp_path: Path) -> None:
    for name in sorted(NEED_LIKELIHOODS):
        with pytest.raises(SettingsError, match="cannot be computed from written answers"):
            score_files(metric_for(name), tmp_path / "a", [tmp_path / "b"])


def test_free_text_is_scored_without_anything_before_it() -> None:
    model = ScriptedModel({"": "It is cold."})
    texts = ["It is cold.", "It is late.", "It is late."]
    result = score_texts(model, texts, [metric_for("bits_per_byte"), metric_for("perplexity")], label="base")
    assert [case.examples[0].prompt for case in result.cases] == ["", "", ""]
    assert len({case.cluster for case in result.cases}) == 2, "equal texts are resampled together"
    sure, unsure = -math.log(0.9), -math.log(0.1)
    assert result.score("bits_per_byte").value == pytest.approx((sure + 2 * unsure) / math.log(2) / 33)
    assert result.score("perplexity").value == pytest.approx(math.exp((sure + 2 * unsure) / 9))
    assert result.identity["weights"] == "scripted"


def test_files_that_cannot_be_scored_are_told(tmp_path: Path) -> None:
    answers, references = tmp_path / "answers.txt", tmp_path / "references.txt"
    answers.write_text("yes\nno\n")
    references.write_text("yes\n")
    metric = metric_for("exact_match")
    with pytest.raises(DataError, match="not as many lines") as caught:
        score_files(metric, answers, [references])
    assert (caught.value.where, caught.value.received) == ("references.txt:2", "1 lines")
    references.write_bytes(b"yes\n\xff\n")
    with pytest.raises(DataError, match="not UTF-8") as caught:
        score_files(metric, answers, [references])
    assert caught.value.where == "references.txt:2"
    references.write_bytes(b"")
    with pytest.raises(DataError, match=r"references\.txt: the file is empty"):
        score_files(metric, answers, [references])
    for path in (tmp_path / "nothing.txt", tmp_path, answers / "below"):
        with pytest.raises(DataError, match="cannot be read"):
            score_files(metric, path, [references])


class Several(ScriptedModel):
    """Gives each prompt two answers: the one by the book, and always yes."""

    def generate(self, *asked: Any, **options: Any) -> Iterator[list[Prediction]]:
        for batch in super().generate(*asked, **options):
            yield [replace(one, answers=(*one.answers, "yes")) for one in batch]


def test_of_several_answers_a_row_is_the_mean_and_their_spread_is_told() -> None:
    result = judged(cast(ScriptedModel, Several(MODEL)), OPEN)
    assert result.rows["exact_match"] == ((1.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 1.0))
    by_the_book = judged(ScriptedModel({**MODEL, "Is it late?": "no"}), OPEN).score("exact_match")
    assert by_the_book.spread is None
    mixed = judged(cast(ScriptedModel, Several({**MODEL, "Is it late?": "no"})), OPEN)
    assert mixed.rows["exact_match"] == ((1.0, 1.0), (0.5, 1.0), (1.0, 1.0), (0.0, 1.0))
    score = mixed.score("exact_match")
    assert (score.value, score.judged) == (0.625, 4)
    assert score.spread == pytest.approx(abs(0.75 - 0.5) / 2**0.5), "the scores of the first and of the second answers"
