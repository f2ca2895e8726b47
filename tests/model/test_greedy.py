"""Greedy answers are those of transformers' own `generate`, whatever the batch and whoever has finished."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import KINDS, SENTENCES, Kind, Tiny

from afters.model.load import Loaded, load

NEW_TOKENS = 12


def prompts(loaded: Loaded) -> list[list[int]]:
    """Nine prompts of nine lengths, from one token to thirty."""
    ids = [token for text in SENTENCES for token in loaded.prompter.tokenizer(text, add_special_tokens=False).input_ids]
    starts = {1: 7, 2: 40, 5: 3, 8: 20, 11: 60, 14: 31, 19: 5, 24: 50, 30: 11}
    return [ids[start : start + length] for length, start in starts.items()]


def generated(module: Any, prompt: list[int], *, ends: list[int]) -> list[int]:
    """What transformers writes after this prompt, asked alone and so without padding."""
    ids = torch.tensor([prompt])
    told = {"eos_token_id": ends or None, "pad_token_id": 0, "do_sample": False, "num_beams": 1}
    out = module.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, **told)
    started = 1 if module.config.is_encoder_decoder else len(prompt)
    return [int(token) for token in out[0, started:]]


def different_ends(written: list[list[int]]) -> list[int]:
    """Tokens at which some of these answers end, at different steps: some rows leave the batch long before others."""
    return sorted({max(answer, key=answer.index) for answer in (written[0], written[3], written[7])})


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_transformers_token_for_token(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    free = loaded.network.greedy(asked, max_new_tokens=NEW_TOKENS, ends=[])
    assert {len(answer) for answer in free} == {NEW_TOKENS}
    assert free == [generated(loaded.network.module, prompt, ends=[]) for prompt in asked]
    ends = different_ends(free)
    written = loaded.network.greedy(asked, max_new_tokens=NEW_TOKENS, ends=ends)
    assert len({len(answer) for answer in written}) >= 3, "rows finish at different steps"
    assert written == [generated(loaded.network.module, prompt, ends=ends) for prompt in asked]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_depends_on_no_other_row(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    ends = different_ends(loaded.network.greedy(asked, max_new_tokens=NEW_TOKENS, ends=[]))

    def ask(rows: list[list[int]]) -> list[list[int]]:
        return loaded.network.greedy(rows, max_new_tokens=NEW_TOKENS, ends=ends)

    together = ask(asked)
    assert ask(asked[::-1])[::-1] == together
    assert ask(asked[:4]) + ask(asked[4:]) == together
    assert [answer for prompt in asked for answer in ask([prompt])] == together


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_ends_with_its_end_token_or_at_the_limit(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    ends = different_ends(loaded.network.greedy(asked, max_new_tokens=NEW_TOKENS, ends=[]))
    for answer in loaded.network.greedy(asked, max_new_tokens=NEW_TOKENS, ends=ends):
        assert answer[-1] in ends or len(answer) == NEW_TOKENS
        assert not set(answer[:-1]) & set(ends)
    assert all(len(answer) == 1 for answer in loaded.network.greedy(asked, max_new_tokens=1, ends=ends))
