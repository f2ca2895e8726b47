"""Samples in the schema that lm-evaluation-harness 0.4 logs, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from on_disk import Write
from scipy import stats

from afters.errors import InputError
from afters.sides.compare import compare_sides
from afters.sides.harness import task_of

TIME = "2026-01-31T10-20-30.123456"


def sample(number: int, **scores: Any) -> dict[str, Any]:
    """One question of four choices, as a multiple-choice task logs it."""
    row = {
        "doc_id": number,
        "doc": {"question": f"What is {number}?", "answer": 1},
        "target": 1,
        "arguments": {"gen_args_0": {"arg_0": f"Q: What is {number}?\nA:", "arg_1": " one"}},
        "resps": [[["-1.5", "False"]], [["-0.5", "True"]]],
        "filtered_resps": [["-1.5", "False"], ["-0.5", "True"]],
        "filter": "none",
        "metrics": list(scores),
        "doc_hash": f"doc{number}",
        "prompt_hash": f"prompt{number}",
        "target_hash": f"target{number}",
    }
    return {**row, **scores}


def chosen(right: Sequence[int]) -> list[dict[str, Any]]:
    return [sample(number, acc=float(value)) for number, value in enumerate(right)]


def generated(answers: Sequence[str], **row: Any) -> list[dict[str, Any]]:
    """Questions that were answered in words, strictly and flexibly extracted."""
    made = []
    for name, score in (("strict-match", 0.0), ("flexible-extract", 1.0)):
        for number, answer in enumerate(answers):
            words = {"target": "42", "filter": name, "resps": [[answer]], "filtered_resps": [answer]}
            right = score if answer == "42!" else float(answer == "42")
            made.append({**sample(number, exact_match=right), **words, **row})
    return made


def test_two_logs_are_aligned_and_tested_by_their_own_score(lines: Write) -> None:
    before = lines(f"base/samples_arc_{TIME}.jsonl", chosen([0] * 10 + [1] * 30))
    after = lines("tuned/samples_arc_2026-02-01T00-00-00.1.jsonl", chosen([1] * 9 + [0] * 3 + [1] * 28)[::-1])
    told = compare_sides([before.parent], [after.parent])
    found = told.headline
    assert (found.task, found.metric, found.before, found.after) == ("arc", "acc", "base", "tuned")
    assert (found.better, found.worse, found.test) == (9, 2, "exact McNemar")
    assert found.p_value == pytest.approx(stats.binomtest(9, 11).pvalue)
    # The documents and the prompts are logged, and with the prompts their shots; how answers are decoded is not.
    assert found.not_checked == ("decoding",)


def test_a_prompt_that_differs_is_refused(lines: Write) -> None:
    changed = [{**row, "prompt_hash": "other"} if row["doc_id"] == 2 else row for row in chosen([1, 0, 1, 1])]
    before, after = lines("samples_arc.jsonl", chosen([0, 0, 1, 1])), lines("more/samples_arc.jsonl", changed)
    with pytest.raises(InputError, match="1 of 4 prompts differ"):
        compare_sides([before], [after])


def test_another_document_under_an_id_is_refused_by_id_and_row(lines: Write) -> None:
    changed = [{**row, "doc_hash": "other"} if row["doc_id"] == 2 else row for row in chosen([1, 0, 1, 1])]
    before, after = lines("samples_arc.jsonl", chosen([0, 0, 1, 1])), lines("more/samples_arc.jsonl", changed)
    with pytest.raises(InputError, match=r"(?s)samples_arc.jsonl:3: another question than before for id 2.*'doc2'"):
        compare_sides([before], [after])


def test_what_an_older_log_does_not_carry_is_not_checked(lines: Write) -> None:
    bare = [{key: row[key] for key in ("doc_id", "filtered_resps", "acc")} for row in chosen([0, 1, 1, 0])]
    found = compare_sides([lines("x/a.jsonl", bare)], [lines("y/a.jsonl", bare)]).headline
    assert set(found.not_checked) == {"dataset", "shots", "decoding", "prompts"}


def test_equal_documents_share_a_cluster(lines: Write) -> None:
    twice = [{**row, "doc_hash": f"doc{number // 2}"} for number, row in enumerate(chosen([0, 0, 1, 1, 0, 0]))]
    found = compare_sides([lines("x/a.jsonl", twice)], [lines("y/a.jsonl", twice)]).headline
    assert (found.cases, found.clusters) == (6, 3)


def test_of_several_scores_one_must_be_named_and_all_may_be(lines: Write) -> None:
    rows = [sample(number, acc=float(number % 2), acc_norm=number / 9, f1=[1, 0]) for number in range(10)]
    before, after = lines("x/a.jsonl", rows), lines("y/a.jsonl", rows)
    with pytest.raises(InputError, match=r"(?s)no --metric.*one of its own \(acc, acc_norm\)"):
        compare_sides([before], [after])
    told = compare_sides([before], [after], metrics=["acc_norm", "acc"])
    assert [(one.metric, one.test) for one in told.comparisons] == [
        ("acc_norm", "sign-flip permutation"),
        ("acc", "exact McNemar"),
    ]
    with pytest.raises(InputError, match="unknown metric or column 'acc_nrm'; did you mean 'acc_norm'"):
        compare_sides([before], [after], metrics=["acc_nrm"])


def test_each_filter_has_scores_of_its_own(lines: Write) -> None:
    before, after = (
        lines(f"{name}/samples_gsm8k.jsonl", generated(answers))
        for name, answers in (("x", ["42", "7", "42!", "42!"]), ("y", ["42", "42", "42", "42!"]))
    )
    asked = ["exact_match,strict-match", "exact_match,flexible-extract"]
    told = compare_sides([before], [after], metrics=asked)
    assert [(one.before_value, one.after_value) for one in told.comparisons] == [(0.25, 0.75), (0.75, 1.0)]
    assert told.headline.cases == 4


def test_answers_in_words_can_be_scored_anew(lines: Write) -> None:
    before, after = (
        lines(f"{name}/samples_gsm8k.jsonl", generated(answers)[:3])
        for name, answers in (("x", ["42", "7", ""]), ("y", ["42", "42", "the 42"]))
    )
    found = compare_sides([before], [after], metrics=["rouge1"]).headline
    assert found.before_value == pytest.approx(1 / 3)
    assert found.before_empty == 1


def test_less_is_better_where_the_scores_name_says_so(lines: Write) -> None:
    before, after = (
        lines(name, [sample(number, perplexity=8.0 + number - gain) for number in range(8)])
        for name, gain in (("x/a.jsonl", 0), ("y/a.jsonl", 1))
    )
    found = compare_sides([before], [after]).headline
    assert (found.direction, found.better, found.verdict) == ("lower", 8, "improved")


def test_every_task_of_a_folder_decides_and_pays_holms_price(lines: Write) -> None:
    for side, right in (("base", [0] * 9 + [1] * 11), ("tuned", [1] * 20)):
        for task in ("arc", "piqa"):
            lines(f"{side}/model/samples_{task}_{TIME}.jsonl", chosen(right))
    lines(f"base/model/samples_boolq_{TIME}.jsonl", chosen([0, 1]))
    base, tuned = (lines(f"{side}/results.json", []).parent for side in ("base", "tuned"))
    told = compare_sides([base], [tuned])
    assert [(one.task, one.primary, one.correction) for one in told.comparisons] == [
        ("arc", True, "Holm"),
        ("piqa", True, "Holm"),
    ]
    assert told.headline.p_corrected == pytest.approx(2 * told.headline.p_value)
    assert "Tasks that not every side has: boolq." in told.not_measured


def test_two_logs_of_one_task_in_a_folder_are_told(lines: Write) -> None:
    one = lines(f"base/samples_arc_{TIME}.jsonl", chosen([1, 0]))
    lines("base/samples_arc_2027-01-31T10-20-30.1.jsonl", chosen([1, 0]))
    with pytest.raises(InputError, match=r"(?s)several samples of arc.*Name the file itself"):
        compare_sides([one.parent], [one])


def test_a_nan_a_missing_and_a_double_id_are_told_by_row(lines: Write) -> None:
    good = lines("x/samples_arc.jsonl", chosen([0, 1, 1]))
    for change, said in (
        ({"acc": float("nan")}, "samples_arc.jsonl:2: 'acc' is not a number"),
        ({"doc_id": None}, "samples_arc.jsonl:2: no id"),
        ({"doc_id": 0}, r"(?s)samples_arc.jsonl:2: an id stands twice.*'0', which row 1 has too"),
    ):
        rows = [{**row, **change} if place == 1 else row for place, row in enumerate(chosen([0, 1, 1]))]
        with pytest.raises(InputError, match=said):
            compare_sides([good], [lines("y/samples_arc.jsonl", rows)])


def test_other_tasks_are_no_comparison(lines: Write) -> None:
    with pytest.raises(InputError, match="no task in common"):
        compare_sides([lines("samples_arc.jsonl", chosen([0, 1]))], [lines("samples_piqa.jsonl", chosen([0, 1]))])


def test_a_files_name_tells_its_task(lines: Write) -> None:
    names = {
        f"samples_mmlu_anatomy_{TIME}.jsonl": "mmlu_anatomy",
        "samples_arc.jsonl": "arc",
        "a.jsonl": "answers",
    }
    assert {name: task_of(lines(name, [])) for name in names} == names
