"""Answers are those of transformers' own `generate`, whatever the batch and whoever has finished."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from scipy.stats import chisquare
from tiny_models import KINDS, SENTENCES, Kind, Tiny, untouched
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.generation import TopPLogitsWarper

from afters.errors import ModelError
from afters.model.causal import Causal
from afters.model.decoding import beams, greedy, sampled
from afters.model.load import Loaded, load
from afters.model.scoring import log_likelihoods
from afters.seeds import stream

NEW_TOKENS = 12


def prompts(loaded: Loaded) -> list[list[int]]:
    """Nine prompts of nine lengths, from one token to thirty."""
    ids = [token for text in SENTENCES for token in loaded.prompter.tokenizer(text, add_special_tokens=False).input_ids]
    starts = {1: 7, 2: 40, 5: 3, 8: 20, 11: 60, 14: 31, 19: 5, 24: 50, 30: 11}
    return [ids[start : start + length] for length, start in starts.items()]


def generated(module: Any, prompt: list[int], *, ends: list[int], beams: int = 1) -> list[int]:
    """What transformers writes after this prompt, asked alone and so without padding."""
    ids = torch.tensor([prompt])
    told = {"eos_token_id": ends or None, "pad_token_id": 0, "do_sample": False, "num_beams": beams}
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
    free = greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[])
    assert {len(answer) for answer in free} == {NEW_TOKENS}
    module = untouched(tiny(kind))
    assert free == [generated(module, prompt, ends=[]) for prompt in asked]
    ends = different_ends(free)
    written = greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=ends)
    assert len({len(answer) for answer in written}) >= 3, "rows finish at different steps"
    assert written == [generated(module, prompt, ends=ends) for prompt in asked]


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_depends_on_no_other_row(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    ends = different_ends(greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[]))

    def ask(rows: list[list[int]]) -> list[list[int]]:
        return greedy(loaded.network, rows, max_new_tokens=NEW_TOKENS, ends=ends)

    together = ask(asked)
    assert ask(asked[::-1])[::-1] == together
    assert ask(asked[:4]) + ask(asked[4:]) == together
    assert [answer for prompt in asked for answer in ask([prompt])] == together


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_ends_with_its_end_token_or_at_the_limit(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    ends = different_ends(greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[]))
    for answer in greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=ends):
        assert answer[-1] in ends or len(answer) == NEW_TOKENS
        assert not set(answer[:-1]) & set(ends)
    assert all(len(answer) == 1 for answer in greedy(loaded.network, asked, max_new_tokens=1, ends=ends))


@pytest.mark.parametrize("kind", ["t5", "gpt2"])
def test_finished_rows_leave_when_they_are_a_quarter_of_the_batch(
    tiny: Tiny, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked, sizes = prompts(loaded), list[int]()
    ends = different_ends(greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[]))
    begin = loaded.network.begin

    def watched(rows: Any) -> Any:
        begun = begin(rows)
        write = begun.write
        begun.write = lambda tokens: (sizes.append(len(tokens)), write(tokens))[1]  # type: ignore[func-returns-value, method-assign]
        return begun

    monkeypatch.setattr(loaded.network, "begin", watched)
    written = greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=ends)
    for step, size in enumerate(sizes, 1):
        unfinished = sum(len(answer) > step for answer in written)
        assert unfinished <= size < unfinished / 0.75
    assert sizes[-1] < len(asked)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [2, 3])
def test_beam_search_finds_what_transformers_finds(tiny: Tiny, kind: Kind, width: int) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    for ends in ([], different_ends(greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[]))):
        found = beams(loaded.network, asked, width=width, max_new_tokens=NEW_TOKENS, ends=ends)
        assert found == [generated(untouched(tiny(kind)), prompt, ends=ends, beams=width) for prompt in asked]


def test_one_beam_is_greedy(tiny: Tiny) -> None:
    loaded = load(tiny("llama"), precision="fp32")
    asked = prompts(loaded)
    free = greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[])
    assert beams(loaded.network, asked, width=1, max_new_tokens=NEW_TOKENS, ends=[]) == free


@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (3.0, 1.0), (5.0, 0.6)])
def test_tokens_are_drawn_as_often_as_they_are_probable(
    tiny: Tiny, kind: Kind, temperature: float, top_p: float
) -> None:
    """Against the warpers of transformers, by a chi-squared test at one in a thousand."""
    loaded = load(tiny(kind), precision="fp32")
    prompt, draws = prompts(loaded)[4], 4000
    chances = [stream(3, "answer", number) for number in range(draws)]
    drawn: dict[str, Any] = {"max_new_tokens": 1, "ends": [], "temperature": temperature, "top_p": top_p}
    [answers] = sampled(loaded.network, [prompt], chances=[chances], **drawn)
    with torch.inference_mode():
        logits = loaded.network.begin([prompt]).logits.double()
    warped = TopPLogitsWarper(top_p)(torch.tensor([prompt]), logits / temperature)
    expected = draws * warped.softmax(-1)[0]
    seen = torch.bincount(torch.tensor([token for [token] in answers]), minlength=len(expected)).double()
    assert seen[expected == 0].sum() == 0
    often = expected >= 5
    counts = [*seen[often].tolist(), float(seen[~often].sum())]
    wanted = [*expected[often].tolist(), float(expected[~often].sum())]
    if wanted[-1] < 1e-9:
        counts, wanted = counts[:-1], wanted[:-1]
    assert chisquare(counts, wanted).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_a_sample_depends_on_its_own_stream_alone(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    asked = prompts(loaded)
    ends = different_ends(greedy(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[]))

    def ask(rows: Sequence[int]) -> list[list[list[int]]]:
        chances = [[stream(1, row, number) for number in range(3)] for row in rows]
        drawn: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "ends": ends, "temperature": 2.0, "top_p": 0.9}
        return sampled(loaded.network, [asked[row] for row in rows], chances=chances, **drawn)

    together = ask(range(len(asked)))
    assert len({tuple(answer) for answers in together for answer in answers}) > len(asked)
    assert [answers for row in range(len(asked)) for answers in ask([row])] == together
    assert ask([5, 2]) == [together[5], together[2]]


@pytest.mark.parametrize("method", [greedy, partial(beams, width=2)])
def test_an_answer_may_be_ended_by_what_it_says(tiny: Tiny, method: Any) -> None:
    loaded = load(tiny("t5"), precision="fp32")
    asked = prompts(loaded)
    written = method(loaded.network, asked, max_new_tokens=NEW_TOKENS, ends=[], over=lambda ids: len(ids) == 5)
    assert written == method(loaded.network, asked, max_new_tokens=5, ends=[])


@pytest.mark.parametrize("family", ["gpt_neo", "mpt"])
def test_families_that_count_columns_answer_alike_in_any_batch(family: str) -> None:
    """Neither heeds the positions that it is told: padding between a shared beginning and the rest would count."""
    sizes: dict[str, dict[str, Any]] = {
        "gpt_neo": {
            **{"hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 48, "window_size": 16},
            **{"attention_types": [[["global", "local"], 1]], "max_position_embeddings": 128},
        },
        "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 128},
    }
    module = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, vocab_size=97, **sizes[family])).eval()
    chance = torch.Generator().manual_seed(1)
    for weight in module.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.25, generator=chance)
    network = Causal(module)
    alike = [[5, 6, 7] * 14 + list(range(8, 8 + size)) for size in (3, 17, 9, 30)]
    limits: dict[str, Any] = {"max_new_tokens": 8, "ends": []}
    assert greedy(network, alike, **limits) == [greedy(network, [one], **limits)[0] for one in alike]


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_whose_weights_are_no_numbers_answers_nothing(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    with torch.no_grad():
        next(part for part in loaded.network.module.modules() if isinstance(part, torch.nn.Linear)).weight[0, 0] = (
            torch.nan
        )
    asked = prompts(loaded)[:2]
    for answer in (greedy, partial(beams, width=2)):
        with pytest.raises(ModelError, match="no number"):
            answer(loaded.network, asked, max_new_tokens=2, ends=[])
    with pytest.raises(ModelError, match="no number"):
        log_likelihoods(loaded.network, asked, [[[1, 2]], [[3]]])
