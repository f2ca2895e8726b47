"""Answers and likelihoods are functions of the Example alone; batches only save time."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from tiny_models import KINDS, SENTENCES, Kind, Tiny, untouched

from afters.model.answering import Answerer
from afters.model.decoding import greedy
from afters.model.load import Loaded, load
from afters.records import Decoding, Example, Prediction, Shot

DECODING = Decoding(max_new_tokens=8)
BUDGETS = (1, 150, 100_000)
"""Tokens: every row alone, a few together, all together."""


def examples(*choices: str) -> list[Example]:
    texts = [text[: 12 + 9 * index] for index, text in enumerate([*SENTENCES, *SENTENCES])]
    return [
        Example(str(index), "chats", f"chats.csv:{index}", text, "0", text, ("yes",), choices=choices)
        for index, text in enumerate(texts)
    ]


def by_id(batches: list[list[Prediction]]) -> dict[str, Prediction]:
    made = [prediction for batch in batches for prediction in batch]
    assert len({prediction.example for prediction in made}) == len(made)
    return {prediction.example: prediction for prediction in made}


@pytest.mark.parametrize("kind", KINDS)
def test_likelihoods_of_choices_are_those_of_a_plain_forward_whatever_the_batch(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = examples("yes", "no", "only an answer", "")
    for budget in BUDGETS:
        made = by_id(list(Answerer(loaded, token_budget=budget).loglikelihood(asked)))
        for example in asked:
            for choice, score in zip(example.choices, made[example.id].choices, strict=True):
                expected, tokens = plain_likelihood(loaded, example, choice)
                assert score.log_probability == pytest.approx(expected, rel=1e-4, abs=1e-4)
                assert score.tokens == tokens


@pytest.mark.parametrize("kind", KINDS)
def test_free_text_is_as_probable_as_a_plain_forward_says(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = Example("1", "text", "text 1", SENTENCES[0], "", "", (SENTENCES[0],), choices=(SENTENCES[0],))
    (score,) = by_id(list(Answerer(loaded).loglikelihood([asked])))["1"].choices
    assert (score.log_probability, score.tokens) == pytest.approx(
        plain_likelihood(loaded, asked, SENTENCES[0]), rel=1e-5
    )


_module = cache(untouched)


def plain_likelihood(loaded: Loaded, example: Example, choice: str) -> tuple[float, int]:
    """Written out with one forward of one row and no padding."""
    module = _module(loaded.folder)
    prompt = loaded.prompter.prompt(example).ids
    answer = loaded.prompter.choice(choice)
    if not answer:
        return 0.0, 0
    with torch.no_grad():
        if module.config.is_encoder_decoder:
            start = module.config.decoder_start_token_id
            decoder = torch.tensor([[start, *answer[:-1]]])
            logits = module(input_ids=torch.tensor([prompt]), decoder_input_ids=decoder).logits[0]
        else:
            whole = torch.tensor([[*prompt, *answer]])
            logits = module(input_ids=whole).logits[0, len(prompt) - 1 : -1]
    told = logits.double().log_softmax(-1)[torch.arange(len(answer)), torch.tensor(answer)]
    return float(told.sum()), len(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_do_not_depend_on_the_batch_or_the_order(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = examples()
    answers = [
        {
            name: made.answers
            for name, made in by_id(list(Answerer(loaded, token_budget=budget).generate(rows, DECODING))).items()
        }
        for budget in BUDGETS
        for rows in (asked, asked[::-1])
    ]
    assert len(answers[0]) == len(asked)
    assert all(one == answers[0] for one in answers)


def test_a_prediction_tells_how_it_was_asked(tiny: Tiny) -> None:
    loaded = load(tiny("t5"), precision="fp32")
    (batch,) = Answerer(loaded).generate(examples()[:2], DECODING)
    for made, example in zip(sorted(batch, key=lambda one: one.example), examples(), strict=False):
        prompt = loaded.prompter.prompt(example)
        assert (made.example, made.prompt_hash, made.prompt_tokens) == (example.id, prompt.hash, len(prompt.ids))
        (ids,) = greedy(loaded.network, [prompt.ids], max_new_tokens=8, ends=loaded.prompter.end_ids)
        assert made.answers == (loaded.prompter.text(ids),)
        assert made.new_tokens == len(ids)
        assert made.finished == (ids[-1] in loaded.prompter.end_ids)
        assert made.seconds > 0


def test_an_answer_that_ends_by_itself_is_told_from_one_at_the_limit(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(tiny("t5"), precision="fp32")
    end = loaded.prompter.end_ids[0]
    monkeypatch.setattr("afters.model.answering.greedy", lambda *asked, **options: [[5, end], [5, 6, 7]])
    (batch,) = Answerer(loaded).generate(examples()[:2], DECODING)
    assert [(made.finished, made.new_tokens) for made in batch] == [(True, 2), (False, 3)]


def test_only_a_batch_that_is_wholly_answered_is_skipped_and_no_batch_changes(tiny: Tiny) -> None:
    answerer = Answerer(load(tiny("t5"), precision="fp32"), token_budget=250)

    def write(done: Container[str]) -> Iterator[list[Prediction]]:
        return answerer.generate(examples(), DECODING, done=done)

    def score(done: Container[str]) -> Iterator[list[Prediction]]:
        return answerer.loglikelihood(examples("yes", "no"), done=done)

    for ask in (write, score):
        batches = [[made.example for made in batch] for batch in ask(())]
        part = next(place for place, batch in enumerate(batches) if len(batch) > 1)
        done = {*batches[0], batches[part][0]}
        left = [batch for batch in batches if not set(batch) <= done]
        assert 0 < len(left) < len(batches)
        assert [[made.example for made in batch] for batch in ask(done)] == left
        assert list(ask({example.id for example in examples()})) == []


def test_the_token_budget_is_part_of_the_identity(tiny: Tiny) -> None:
    """In bf16 the batch moves the last digits, so another budget is another Result."""
    loaded = load(tiny("t5"), precision="fp32")
    assert Answerer(loaded, token_budget=1).identity != Answerer(loaded, token_budget=2).identity
    assert loaded.identity.items() <= Answerer(loaded).identity.items()


@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize("method", ["greedy", "beam", "sample"])
def test_an_answer_ends_before_the_first_stop(tiny: Tiny, kind: Kind, method: Any) -> None:
    loaded = load(tiny(kind), precision="fp32")
    free = Decoding(max_new_tokens=12, method=method, beams=2, temperature=2.0)
    whole = by_id(list(Answerer(loaded).generate(examples()[:4], free)))
    text = max((made.answers[0] for made in whole.values()), key=len)
    stop = text[len(text) // 2 :][:2]
    made = by_id(list(Answerer(loaded).generate(examples()[:4], replace(free, stop=(stop, "never said")))))
    assert all(stop not in one.answers[0] for one in made.values())
    stopped = [name for name, one in whole.items() if stop in one.answers[0]]
    assert stopped
    for name in stopped if method != "beam" else ():  # elsewhere a beam that is ended early changes which one wins
        assert made[name].answers[0] == whole[name].answers[0].partition(stop)[0].strip()
        assert made[name].finished and made[name].new_tokens <= whole[name].new_tokens


def test_several_answers_are_drawn_and_depend_on_seed_example_and_number_alone(tiny: Tiny) -> None:
    loaded = load(tiny("t5"), precision="fp32")
    drawn = Decoding(max_new_tokens=8, method="sample", answers=3, temperature=2.0, seed=1)

    def ask(decoding: Decoding, budget: int, rows: list[Example]) -> dict[str, tuple[str, ...]]:
        made = by_id(list(Answerer(loaded, token_budget=budget).generate(rows, decoding)))
        return {name: one.answers for name, one in made.items()}

    answers = ask(drawn, BUDGETS[0], examples())
    assert {len(one) for one in answers.values()} == {3}
    assert len({text for one in answers.values() for text in one}) > len(answers)
    assert ask(drawn, BUDGETS[2], examples()[::-1]) == answers
    assert ask(replace(drawn, answers=2), BUDGETS[1], examples()) == {name: one[:2] for name, one in answers.items()}
    assert ask(replace(drawn, seed=2), BUDGETS[1], examples()) != answers


def test_questions_with_the_same_shots_are_asked_together(tiny: Tiny) -> None:
    """In a decoder they are read once; an encoder reads each prompt whole, and sorts by length alone."""
    shots = (Shot("What is cold? " * 3, "ice"), Shot("What is warm? " * 3, "fire"))
    rows = [replace(one, shots=shots if place % 2 else ()) for place, one in enumerate(examples("yes", "no") * 3)]
    rows = [replace(one, id=str(place)) for place, one in enumerate(rows)]
    batches = list(Answerer(load(tiny("llama"), precision="fp32")).loglikelihood(rows))
    assert [{int(made.example) % 2 for made in batch} for batch in batches] in ([{0}, {1}], [{1}, {0}])
    assert len(list(Answerer(load(tiny("t5"), precision="fp32")).loglikelihood(rows))) == 1
