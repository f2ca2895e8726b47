from __future__ import annotations

from dataclasses import replace

import pytest

from afters.compare.alike import check
from afters.errors import ComparisonRefused
from afters.metrics.match import ExactMatch
from afters.records import Case, Example, Prediction, Result, Score

IDENTITY = {"dataset": "d", "shots": "s", "decoding": "x", "weights": "w"}


def case(number: int, *, prompt_hash: str = "h") -> Case:
    example = Example(str(number), "chats", "rows.csv:1", "content", "plain", "prompt", ("yes",))
    return Case(str(number), "", (example,), (Prediction(str(number), ("yes",), prompt_hash=prompt_hash),))


def result(label: str) -> Result:
    rows = {"exact_match": ((1.0, 1.0), (1.0, 1.0))}
    return Result(label, "chats", IDENTITY, (case(1), case(2)), rows, ())


BEFORE = result("before")
AFTER = replace(result("after"), identity={**IDENTITY, "weights": "v"})


def with_identity(**changed: str) -> Result:
    return replace(AFTER, identity={**AFTER.identity, **changed})


def without(key: str) -> Result:
    return replace(AFTER, identity={name: value for name, value in AFTER.identity.items() if name != key})


def test_other_weights_are_what_tuning_is_about() -> None:
    assert check(BEFORE, AFTER, ExactMatch(), kind="tuning") == ()


@pytest.mark.parametrize("key", ["dataset", "shots", "decoding"])
def test_tuning_refuses_another_setting(key: str) -> None:
    with pytest.raises(ComparisonRefused, match=f"the {key} differs"):
        check(BEFORE, with_identity(**{key: "other"}), ExactMatch(), kind="tuning")


def test_prompting_lets_the_shots_and_prompts_differ_but_not_the_decoding() -> None:
    other = replace(with_identity(shots="other"), cases=(case(1, prompt_hash="i"), case(2, prompt_hash="j")))
    assert check(BEFORE, other, ExactMatch(), kind="prompting") == ()
    with pytest.raises(ComparisonRefused, match="decoding"):
        check(BEFORE, with_identity(decoding="other"), ExactMatch(), kind="prompting")


def test_a_baseline_needs_the_same_dataset_only() -> None:
    nearest = replace(AFTER, identity={"dataset": "d"})
    assert check(BEFORE, nearest, ExactMatch(), kind="baseline") == ()
    with pytest.raises(ComparisonRefused, match="dataset"):
        check(BEFORE, replace(AFTER, identity={"dataset": "e"}), ExactMatch(), kind="baseline")


@pytest.mark.parametrize("key", ["dataset", "shots", "decoding"])
def test_what_is_not_carried_is_not_checked(key: str) -> None:
    assert check(BEFORE, without(key), ExactMatch(), kind="tuning") == (key,)
    assert check(without(key), BEFORE, ExactMatch(), kind="tuning") == (key,)


def test_another_prompt_is_refused_and_an_unknown_one_named() -> None:
    with pytest.raises(ComparisonRefused, match="1 of 2 prompts differ"):
        check(BEFORE, replace(AFTER, cases=(case(1), case(2, prompt_hash="i"))), ExactMatch(), kind="tuning")
    unknown = replace(AFTER, cases=(case(1), case(2, prompt_hash="")))
    assert check(BEFORE, unknown, ExactMatch(), kind="tuning") == ("prompts",)


def test_prompts_are_not_compared_across_tokenizers() -> None:
    other = replace(AFTER, cases=(case(1, prompt_hash="i"), case(2, prompt_hash="j")))
    before = replace(BEFORE, identity={**IDENTITY, "tokenizer": "t5's"})
    foreign = replace(other, identity={**other.identity, "tokenizer": "llama's"})
    assert check(before, foreign, ExactMatch(), kind="tuning") == ("prompts",)
    own = replace(other, identity={**other.identity, "tokenizer": "t5's"})
    with pytest.raises(ComparisonRefused, match="2 of 2 prompts differ"):
        check(before, own, ExactMatch(), kind="tuning")


def test_other_cases_are_refused_with_their_number() -> None:
    other = replace(AFTER, cases=(case(1), case(3)))
    with pytest.raises(ComparisonRefused, match="1 only before, 1 only after, as 2, 3"):
        check(BEFORE, other, ExactMatch(), kind="baseline")


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(ComparisonRefused, match="1 Cases of after share their id"):
        check(BEFORE, replace(AFTER, cases=(case(1), case(1))), ExactMatch(), kind="tuning")


def test_another_task_is_refused() -> None:
    with pytest.raises(ComparisonRefused, match="two tasks"):
        check(BEFORE, replace(AFTER, task="other"), ExactMatch(), kind="tuning")


def test_a_metric_that_did_not_judge_is_refused() -> None:
    with pytest.raises(ComparisonRefused, match="after was not judged by exact_match"):
        check(BEFORE, replace(AFTER, rows={}), ExactMatch(), kind="tuning")


def test_a_metric_with_other_options_is_refused() -> None:
    squad = ExactMatch(normalisation="squad")
    score = Score("exact_match", "exact_match", 1.0, "binary", "higher", 2, 0, squad.signature)
    with pytest.raises(ComparisonRefused, match="after was judged by another exact_match"):
        check(BEFORE, replace(AFTER, scores=(score,)), ExactMatch(), kind="tuning")
