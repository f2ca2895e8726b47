"""A choice is as probable as a plain forward of one row says, whatever is read together and read once."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, Kind, Tiny, untouched

from afters.model import scoring
from afters.model.decoding import greedy
from afters.model.load import load
from afters.model.network import Network
from afters.model.scoring import FULL, _of_similar_length, log_likelihoods
from afters.model.sharing import WORTH

CHOICES = ((5,), (6,), (), (7, 8), (5, 9, 10, 11), (5,))


def prompts(network: Network, *, shared: int) -> list[list[int]]:
    """Prompts of four lengths after the same beginning."""
    module: Any = network.module
    chance = torch.Generator().manual_seed(5)

    def draw(length: int) -> list[int]:
        return [int(token) for token in torch.randint(3, module.config.vocab_size, (length,), generator=chance)]

    beginning = draw(shared)
    return [beginning + draw(length) for length in (3, 12, 1, 7)]


def plain(module: Any, prompt: list[int], choice: tuple[int, ...]) -> float:
    """Written out with one forward of one row, no padding, no cache."""
    if not choice:
        return 0.0
    with torch.no_grad():
        if module.config.is_encoder_decoder:
            start = module.config.decoder_start_token_id
            told = {"input_ids": torch.tensor([prompt]), "decoder_input_ids": torch.tensor([[start, *choice[:-1]]])}
            logits = module(**told).logits[0]
        else:
            logits = module(input_ids=torch.tensor([[*prompt, *choice]])).logits[0, len(prompt) - 1 : -1]
    return float(logits.double().log_softmax(-1)[torch.arange(len(choice)), torch.tensor(choice)].sum())


@pytest.mark.parametrize("shared", [0, WORTH - 1, WORTH + 7])
@pytest.mark.parametrize("kind", FAMILIES)
def test_likelihoods_are_those_of_a_plain_forward(tiny: Tiny, kind: Kind, shared: int) -> None:
    network = load(tiny(kind), precision="fp32").network
    asked = prompts(network, shared=shared)
    found = log_likelihoods(network, asked, [CHOICES] * len(asked))
    module = untouched(tiny(kind))
    expected = [[plain(module, prompt, choice) for choice in CHOICES] for prompt in asked]
    assert found == [pytest.approx(row, rel=1e-4, abs=1e-4) for row in expected]
    alone = [log_likelihoods(network, [prompt], [CHOICES])[0] for prompt in asked]
    assert found == [pytest.approx(row, rel=1e-4, abs=1e-4) for row in alone]


@pytest.mark.parametrize("kind", FAMILIES)
def test_what_is_written_after_a_shared_beginning_is_what_is_written_alone(tiny: Tiny, kind: Kind) -> None:
    network = load(tiny(kind), precision="fp32").network
    asked = prompts(network, shared=WORTH + 7)
    together = greedy(network, asked, max_new_tokens=8, ends=[])
    assert together == [greedy(network, [prompt], max_new_tokens=8, ends=[])[0] for prompt in asked]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_shared_beginning_is_read_once_and_a_prompt_once_for_all_its_choices(tiny: Tiny, kind: Kind) -> None:
    network = load(tiny(kind), precision="fp32").network
    log_likelihoods(network, [[5]], [CHOICES])  # tries its head
    read: list[tuple[int, ...]] = []
    embeddings: Any = network.module.get_input_embeddings()  # type: ignore[operator]
    embeddings.register_forward_hook(lambda _, told, made: read.append(tuple(told[0].shape)))
    asked = prompts(network, shared=WORTH + 7)
    log_likelihoods(network, asked, [CHOICES] * 4)
    longer = sum(len(choice) > 1 for choice in CHOICES)
    assert read == [(1, WORTH + 7), (4, 12), (4 * longer, 3)]
    read.clear()
    log_likelihoods(network, asked, [((5,), (6,), (7,), (8,))] * 4)
    assert read == [(1, WORTH + 7), (4, 12)]


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_reads_a_prompt_once_for_all_its_choices(tiny: Tiny, kind: Kind) -> None:
    network = load(tiny(kind), precision="fp32").network
    log_likelihoods(network, [[5]], [CHOICES])  # tries its head
    rows: list[int] = []
    encoder: Any = network.module.get_encoder()  # type: ignore[operator]
    encoder.register_forward_hook(lambda _, told, named, made: rows.append(len(named["input_ids"])), with_kwargs=True)
    asked = prompts(network, shared=0)
    log_likelihoods(network, asked, [CHOICES] * 4)
    assert rows == [4]


@pytest.mark.parametrize("kind", ["t5", "llama", "mistral"])
def test_choices_of_other_lengths_are_read_apart_and_cost_no_padding(tiny: Tiny, kind: Kind) -> None:
    network = load(tiny(kind), precision="fp32").network
    asked = prompts(network, shared=0)
    choices = [(5, 6), (7, 8), *[tuple(range(5, 5 + length)) for length in (9, 10)]] * FULL
    found = log_likelihoods(network, asked[:1], [choices])[0]
    module = untouched(tiny(kind))
    expected = [plain(module, asked[0], choice) for choice in choices[:4]] * FULL
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-4)
    groups = _of_similar_length([len(choice) for choice in choices])
    assert [sorted({len(choices[place]) for place in group}) for group in groups] == [[9, 10], [2]]
    assert sorted(place for group in groups for place in group) == list(range(len(choices)))
    assert _of_similar_length([1, 0, 2, 30]) == [[3, 2]], "too few to be read apart; one token is read already"


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_so_few_prompts_are_read_at_once_that_their_logits_are_few(
    tiny: Tiny, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = load(tiny(kind), precision="fp32").network
    asked = prompts(network, shared=0)
    together = log_likelihoods(network, asked, [CHOICES] * 4)
    sizes, begin = list[int](), network.begin

    def watched(rows: Any) -> Any:
        sizes.append(len(rows))
        return begin(rows)

    monkeypatch.setattr(network, "begin", watched)
    vocabulary = network.module.get_output_embeddings().weight.shape[0]  # type: ignore[operator]
    monkeypatch.setattr(scoring, "LOGITS_AT_ONCE", 3 * int(vocabulary))
    found = log_likelihoods(network, asked, [CHOICES] * 4)
    assert sizes == [3, 1]
    assert found == [pytest.approx(row, rel=1e-4, abs=1e-4) for row in together]
