"""The same numbers, however a step is cut into batches and padded; the oracle is transformers' own loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from tiny_models import ENCODER_DECODERS, FAMILIES, Kind, Tiny, untouched
from torch import Tensor
from torch.distributions import Categorical, kl_divergence
from torch.nn import functional

from afters.model import head
from afters.model.adapters import wrap, wrap_virtual
from afters.model.head import head_only_at
from afters.model.load import Loaded, Precision, load
from afters.model.network import Pair, padded
from afters.train.loss import backward, label_tokens, mean_loss, micro_batches

ONE_BATCH = 10_000
"""Tokens: all rows at once."""


def rows(loaded: Loaded) -> list[Pair]:
    """Eight rows with prompts of 3 to 17 tokens: four answers of 2 tokens, four of 20."""
    module: Any = loaded.network.module
    chance = torch.Generator().manual_seed(3)
    lengths = [(3, 2), (17, 20), (9, 2), (5, 20), (12, 20), (4, 2), (8, 20), (11, 2)]

    def ids(length: int) -> list[int]:
        return torch.randint(3, module.config.vocab_size, (length,), generator=chance).tolist()

    return [Pair(ids(prompt), ids(answer)) for prompt, answer in lengths]


def gradient(loaded: Loaded) -> Tensor:
    """All gradients in one vector; removed from the weights."""
    weights = [weight for weight in loaded.network.module.parameters() if weight.grad is not None]
    flat = torch.cat([weight.grad.flatten() for weight in weights if weight.grad is not None])
    loaded.network.module.zero_grad()
    return flat


def calm(loaded: Loaded) -> None:
    """Halve the wide matrices of the tiny models twice, so that layers do not multiply fp32's rounding."""
    with torch.no_grad():
        for weight in loaded.network.module.parameters():
            weight.mul_(0.25 if weight.ndim > 1 else 1.0)


def in_batches(loaded: Loaded, batches: list[list[Pair]], *, total: int) -> tuple[float, Tensor]:
    """The loss and gradient of a step cut by hand."""
    loss = 0.0
    for batch in batches:
        share = loaded.network.token_losses(batch).sum() / total
        share.backward()  # type: ignore[no-untyped-call]
        loss += share.item()
    return loss, gradient(loaded)


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
def test_a_step_has_one_loss_and_gradient_however_it_is_cut_sorted_padded_or_packed(
    tiny: Tiny, kind: Kind, dtype: torch.dtype, tolerance: float
) -> None:
    """`Seq2SeqTrainer` of transformers 5.23 gives 5.924, 11.848 and 47.214 for the three cuts of such a step.

    The measure is the network as transformers made it. The same is asked of the network that is made to train fast,
    which in most decoder-only families packs its rows.
    """
    firsts = []
    for made_by_us in (False, True):
        loaded = load(tiny(kind), precision="fp32", for_training=True)
        if not made_by_us:
            network: Any = type(loaded.network)
            loaded = replace(loaded, network=network(untouched(tiny(kind))))
        packs = getattr(loaded.network, "packs", False)
        assert packs == (made_by_us and kind not in (*ENCODER_DECODERS, "gemma2"))
        calm(loaded)
        loaded.network.module.eval().to(dtype)
        [(whole, expected), *others] = every_way(loaded)
        assert expected.norm() > 0.01
        if kind in ("gemma", "gemma2") and not packs:
            tolerance = max(tolerance, 1e-7)  # transformers sums the gradient of Gemma's norms in fp32
        for loss, found in others:
            assert loss == pytest.approx(whole, rel=tolerance)
            assert (found - expected).norm() / expected.norm() < tolerance
        firsts.append((whole, expected))
    [(plain_loss, plain), (lean_loss, lean)] = firsts
    assert lean_loss == pytest.approx(plain_loss, rel=1e-5)
    # transformers computes norms and rotations in fp32 even within a network of float64.
    assert (lean - plain).norm() / plain.norm() < 1e-5


def every_way(loaded: Loaded) -> Iterator[tuple[float, Tensor]]:
    """The loss and gradient of one step at once, cut by hand in four ways, and by three budgets."""
    pairs = rows(loaded)
    for cut in ([pairs], [pairs[:4], pairs[4:]], [[pair] for pair in pairs], [pairs[::-1]], [pairs[:1], pairs[1:]]):
        yield in_batches(loaded, cut, total=label_tokens(pairs))
    for budget in (1, 60, 120):
        loss = backward(loaded.network, pairs, tokens=budget, precision="fp32")
        yield loss, gradient(loaded)


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind not in ENCODER_DECODERS])
def test_padding_on_the_left_changes_nothing(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    calm(loaded)
    module, pairs = loaded.network.module, rows(loaded)
    with torch.no_grad():
        expected = loaded.network.token_losses(pairs)
        whole = [(*pair.prompt, *pair.answer) for pair in pairs]
        ids, mask = padded(whole, pad=loaded.network.pad, device=loaded.device, left=True)
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        told = module(input_ids=ids, attention_mask=mask, position_ids=positions).logits.log_softmax(-1)
    found = []
    for line, row, pair in zip(told, ids, pairs, strict=True):
        answer = range(len(row) - len(pair.answer), len(row))
        found += [-line[place - 1, row[place]] for place in answer]
    torch.testing.assert_close(torch.stack(found), expected, rtol=1e-5, atol=1e-5)


def test_a_t5_is_padded_to_few_lengths_which_the_budget_counts_and_no_loss_shows(
    tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load(tiny("t5"), precision="fp32")
    network, pairs, seen = loaded.network, rows(loaded), list[tuple[int, int]]()
    loaded.network.module.register_forward_pre_hook(
        lambda module, _, told: seen.append((told["input_ids"].shape[1], told["decoder_input_ids"].shape[1])),
        with_kwargs=True,
    )
    with torch.no_grad():
        found = network.token_losses(pairs)
        assert network.multiples == (32, 8)
        assert all(prompt % 32 == 0 and answer % 8 == 0 for prompt, answer in seen[-1:])
        for batch in micro_batches(network, pairs, tokens=80):
            network.token_losses(batch)
            assert len(batch) == 1 or len(batch) * sum(seen[-1]) <= 80
        monkeypatch.setattr("afters.model.seq2seq.MULTIPLES", (1, 1))
        expected = network.token_losses(pairs)
        assert seen[-1] == (max(len(pair.prompt) for pair in pairs), max(len(pair.answer) for pair in pairs))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_where_positions_end_nothing_is_padded_beyond_them(tiny: Tiny) -> None:
    network = load(tiny("bart"), precision="fp32").network
    config: Any = network.module.config
    config.max_position_embeddings = 64
    assert network.multiples == (32, 8)
    config.max_position_embeddings = 50
    assert network.multiples == (1, 1)
    network.module.virtual, config.max_position_embeddings = torch.nn.Identity(), 64
    assert network.multiples == (1, 1), "virtual tokens stand in front of what is padded"


def test_the_budget_really_cuts_the_step(tiny: Tiny) -> None:
    loaded = load(tiny("llama"), precision="fp32")
    network, pairs = loaded.network, rows(loaded)
    budgets = (1, 120, ONE_BATCH)
    sizes = {budget: [len(batch) for batch in micro_batches(network, pairs, tokens=budget)] for budget in budgets}
    assert sizes[1] == [1] * 8
    assert 1 < len(sizes[120]) < 8
    assert sizes[ONE_BATCH] == [8]


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_loss_is_that_of_transformers(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    module, pairs = loaded.network.module, rows(loaded)
    if kind in ENCODER_DECODERS:
        ids, mask = padded([pair.prompt for pair in pairs], pad=loaded.network.pad, device=loaded.device)
        labels, taught = padded([pair.answer for pair in pairs], pad=loaded.network.pad, device=loaded.device)
        labels[taught == 0] = -100
    else:
        whole = [(*pair.prompt, *pair.answer) for pair in pairs]
        ids, mask = padded(whole, pad=loaded.network.pad, device=loaded.device)
        labels = ids.clone()
        labels[mask == 0] = -100
        for label, pair in zip(labels, pairs, strict=True):
            label[: len(pair.prompt)] = -100
    with torch.no_grad():
        expected = module(input_ids=ids, attention_mask=mask, labels=labels).loss.item()
    assert mean_loss(loaded.network, pairs, tokens=ONE_BATCH, precision="fp32") == pytest.approx(expected, rel=1e-5)
    assert mean_loss(loaded.network, pairs, tokens=60, precision="fp32") == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_token_losses_come_row_by_row_one_for_each_answer_token(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32")
    pairs = rows(loaded)
    with torch.no_grad():
        together = loaded.network.token_losses(pairs)
        alone = torch.cat([loaded.network.token_losses([pair]) for pair in pairs])
    assert len(together) == label_tokens(pairs) == 4 * 2 + 4 * 20
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen2"])
def test_the_prompt_is_never_taught_but_decides(tiny: Tiny, kind: Kind) -> None:
    """Only the answer's tokens are in the loss: written out from a plain forward over prompt and answer."""
    loaded = load(tiny(kind), precision="fp32")
    pair = Pair((5, 6, 7), (8, 9))
    with torch.no_grad():
        logits = loaded.network.module(input_ids=torch.tensor([[5, 6, 7, 8, 9]])).logits[0]
        expected = -logits.log_softmax(-1)[[2, 3], [8, 9]]
        torch.testing.assert_close(loaded.network.token_losses([pair]), expected, rtol=1e-5, atol=1e-5)
        other = loaded.network.token_losses([Pair((5, 6, 10), (8, 9))])
    assert not torch.allclose(other, expected)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_end_token_is_taught_even_where_it_is_also_the_padding(tiny: Tiny, kind: Kind) -> None:
    """GPT-2 has no padding token and Qwen's is its end: a mask made from ids would forget the end of every answer."""
    loaded = load(tiny(kind), precision="fp32")
    loaded.network.pad = loaded.prompter.end_ids[0]
    end = loaded.prompter.answer("yes")[-1]
    assert end == loaded.prompter.end_ids[0]
    short, long = Pair((5, 6), (7, end)), Pair((5, 6, 7, 8), (9, 10, 11, end))
    with torch.no_grad():
        losses = loaded.network.token_losses([short, long])
        alone = loaded.network.token_losses([short])
    assert len(losses) == 6
    torch.testing.assert_close(losses[:2], alone, rtol=1e-4, atol=1e-4)
    losses = loaded.network.token_losses([short])
    losses[1].backward()  # type: ignore[no-untyped-call]
    assert gradient(loaded).norm() > 0


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_head_at_chosen_places_says_what_the_whole_head_says_there(tiny: Tiny, kind: Kind) -> None:
    module: Any = load(tiny(kind), precision="fp32").network.module
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
    keep = torch.tensor([[False, True, False, True], [True, False, False, False]])
    inputs = {"input_ids": ids, **({"decoder_input_ids": ids} if module.config.is_encoder_decoder else {})}
    with torch.no_grad():
        whole = module(**inputs).logits
        with head_only_at(module, keep):
            by_mask = module(**inputs).logits
        with head_only_at(module, torch.tensor([4, 1])):
            by_index = module(**inputs).logits
        after = module(**inputs).logits
    torch.testing.assert_close(by_mask, whole[keep], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(by_index, whole.flatten(0, 1)[[4, 1]], rtol=1e-5, atol=1e-5)
    assert after.shape == whole.shape, "the hook is gone after the context"


@pytest.mark.parametrize("kind", ["t5", "t5-untied", "bart", "gemma2", "phi"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_losses_and_gradients_computed_in_parts_are_those_of_whole_logits(
    tiny: Tiny, kind: Kind, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the head tied or not, biased, capped, or frozen; the weights of the tokens equal or not."""
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    calm(loaded)
    network: Any = loaded.network
    network.module.double().eval()
    if kind == "bart":
        network.module.final_logits_bias.normal_(generator=torch.Generator().manual_seed(2))
    elif kind == "phi":
        network.module.lm_head.requires_grad_(False)
    pairs = rows(loaded)
    weights = torch.linspace(1, 2, label_tokens(pairs), dtype=torch.float64)
    monkeypatch.setattr(head, "LOGITS_AT_ONCE", 7 * network.module.config.vocab_size)
    for weighted in (torch.ones_like(weights), weights):
        made = []
        for parts in (True, False):
            # What is not known to be all that the head does is scored whole, by PyTorch's own gradients.
            monkeypatch.setattr(head, "_tried", lambda *_, parts=parts: parts)
            head._is_all.clear()
            losses = network.token_losses(pairs, smoothing=smoothing)
            (losses * weighted).sum().backward()
            made.append((losses.detach(), gradient(loaded)))
        torch.testing.assert_close(made[0], made[1], rtol=1e-9, atol=1e-12)
    head._is_all.clear()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("dropout", [False, True])
def test_every_family_trains_in_bf16(tiny: Tiny, kind: Kind, dropout: bool) -> None:
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    calm(loaded)
    pairs = rows(loaded)
    whole = backward(loaded.network, pairs, tokens=ONE_BATCH, precision="fp32")
    expected = gradient(loaded)
    loaded.network.module.train(dropout)
    losses, found = [], torch.zeros_like(expected)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(8 if dropout else 1):  # one draw alone may point anywhere
            losses.append(backward(loaded.network, pairs, tokens=ONE_BATCH, precision="bf16"))
            found += gradient(loaded)
    assert sum(losses) / len(losses) == pytest.approx(whole, rel=0.1 if dropout else 0.01)
    assert torch.cosine_similarity(found, expected, dim=0) > (0.1 if dropout else 0.98)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "mistral"])
def test_dropout_within_packed_attention_keeps_the_mean(tiny: Tiny, kind: Kind) -> None:
    loaded = load(tiny(kind), precision="fp32", for_training=True)
    calm(loaded)
    pairs = rows(loaded)
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        expected = loaded.network.token_losses(pairs).mean()
        loaded.network.module.train()
        losses = torch.stack([loaded.network.token_losses(pairs).mean() for _ in range(40)])
    assert losses.std() > 0
    assert float(losses.mean()) == pytest.approx(float(expected), rel=0.02)


@pytest.mark.parametrize("kind", FAMILIES)
def test_what_the_head_does_is_known_for_every_family(tiny: Tiny, kind: Kind) -> None:
    module: Any = load(tiny(kind), precision="fp32").network.module
    assert head._tried(module, head._Head.of(module))
    assert not module.training


def test_an_adapted_head_that_has_learnt_is_known_while_it_trains(tiny: Tiny) -> None:
    """Its own dropout must not make it look like a head that does more."""
    module: Any = load(tiny("t5"), precision="fp32", for_training=True).network.module
    wrap(module, rank=2, alpha=8.0, dropout=0.5, targets=["lm_head"])
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.3)
    assert head._tried(module.train(), head._Head.of(module))
    assert module.training


def test_a_head_that_does_more_is_seen_and_scored_whole(tiny: Tiny) -> None:
    module: Any = load(tiny("gemma2"), precision="fp32").network.module
    assert not head._tried(module, head._Head(module.lm_head, bias=None, cap=None)), "a soft cap was not seen"
    module = load(tiny("bart"), precision="fp32").network.module
    module.final_logits_bias.fill_(0.01)
    assert not head._tried(module, head._Head(module.lm_head, bias=None, cap=None)), "a bias was not seen"


def test_never_more_logits_at_once_than_are_allowed(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = load(tiny("llama"), precision="fp32", for_training=True)
    module: Any = loaded.network.module
    vocabulary, sizes = module.config.vocab_size, list[int]()
    monkeypatch.setattr(head, "LOGITS_AT_ONCE", 5 * vocabulary)
    module.lm_head.register_forward_hook(lambda *told: sizes.append(told[2].numel()))
    backward(loaded.network, rows(loaded), tokens=ONE_BATCH, precision="fp32")
    assert max(sizes) == 5 * vocabulary
    assert sum(sizes) >= 88 * vocabulary


def test_costs_are_never_less_exact_than_fp32() -> None:
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    expected = torch.log(torch.exp(logits).sum()) - 3.0
    for dtype in (torch.bfloat16, torch.float32):
        found = functional.cross_entropy(head._wide(logits.to(dtype)), torch.tensor([2]))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected)
    assert head._wide(logits.double()).dtype == torch.float64


def moved(loaded: Loaded) -> Loaded:
    """The same network with other weights."""
    chance = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for weight in loaded.network.module.parameters():
            weight.mul_(1 + 0.3 * torch.randn(weight.shape, generator=chance))
    return loaded


def logits_of(loaded: Loaded, pair: Pair) -> Tensor:
    """transformers' own logits where a row's answer is told, (answer tokens, vocabulary)."""
    module: Any = loaded.network.module
    prompt, answer = torch.tensor([pair.prompt]), torch.tensor([pair.answer])
    if module.config.is_encoder_decoder:
        start = torch.tensor([[module.config.decoder_start_token_id]])
        told: Tensor = module(input_ids=prompt, decoder_input_ids=torch.cat([start, answer[:, :-1]], 1)).logits
        return told[0]
    told = module(input_ids=torch.cat([prompt, answer], 1)).logits
    return told[0, len(pair.prompt) - 1 : -1]


@pytest.mark.parametrize("at_once", [2**23, 1_000])
@pytest.mark.parametrize("kind", FAMILIES)
def test_the_divergence_from_a_base_and_its_gradient_are_torchs_own(
    tiny: Tiny, kind: Kind, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle is torch.distributions, on transformers' logits of one row after the other."""
    monkeypatch.setattr(head, "LOGITS_AT_ONCE", at_once)
    base, loaded = (load(tiny(kind), precision="fp32", for_training=True) for _ in range(2))
    for one in (base, moved(loaded)):
        calm(one)
    pairs = rows(loaded)
    found = loaded.network.divergences(pairs, base.network.expected(pairs))
    found.sum().backward()  # type: ignore[no-untyped-call]
    own = gradient(loaded)
    divergences = []
    for pair in pairs:
        with torch.no_grad():
            expected = Categorical(logits=logits_of(base, pair))
        divergences.append(kl_divergence(expected, Categorical(logits=logits_of(loaded, pair))))
    oracle = torch.cat(divergences)
    torch.testing.assert_close(found, oracle, rtol=1e-3, atol=1e-6)
    oracle.sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(own, gradient(loaded), rtol=1e-3, atol=1e-5)
    assert all(weight.grad is None for weight in base.network.module.parameters())


def test_a_head_that_does_more_is_held_to_the_base_all_the_same(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    base, loaded = (load(tiny("gemma2"), precision="fp32", for_training=True) for _ in range(2))
    moved(loaded)
    pairs = rows(loaded)
    known = loaded.network.divergences(pairs, base.network.expected(pairs))
    for network in (base.network, loaded.network):
        monkeypatch.setitem(head._is_all, network.module, False)
    torch.testing.assert_close(loaded.network.divergences(pairs, base.network.expected(pairs)), known)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["t5", "llama"])
@pytest.mark.parametrize("method", ["lora", "prompt", "prefix"])
def test_an_adapter_is_held_to_the_base_beneath_it(
    tiny: Tiny, kind: Kind, method: Literal["lora", "prompt", "prefix"], precision: Precision
) -> None:
    base, loaded = (load(tiny(kind), precision=precision, for_training=True) for _ in range(2))
    if method == "lora":
        wrap(loaded.network.module, rank=2, alpha=8.0, dropout=0.0, targets=["all-linear"])
    else:
        wrap_virtual(loaded.network.module, tokens=3, method=method)
    pairs = [pair._replace(soft=True) for pair in rows(loaded)]
    for network in (base.network, loaded.network):
        network.module.eval()
    loss = backward(loaded.network, pairs, tokens=ONE_BATCH, precision=precision, base=base.network)
    assert gradient(loaded).isfinite().all()
    if method == "lora":
        assert loss == pytest.approx(0, abs=1e-4 if precision == "fp32" else 0.02), "it begins as the base"
    else:
        assert loss > 1e-3


def test_a_soft_row_without_a_base_is_no_hard_one(tiny: Tiny) -> None:
    loaded = load(tiny("t5"), precision="fp32", for_training=True)
    with pytest.raises(AssertionError, match="who expects"):
        backward(loaded.network, [rows(loaded)[0]._replace(soft=True)], tokens=ONE_BATCH, precision="fp32")


def test_a_step_teaches_tokens_and_what_the_base_expects_side_by_side(tiny: Tiny) -> None:
    base, loaded = (load(tiny("t5"), precision="fp32", for_training=True) for _ in range(2))
    pairs = rows(moved(loaded))
    hard, soft = pairs[:5], [pair._replace(soft=True) for pair in pairs[5:]]
    mixed = [soft[0], *hard, *soft[1:]]
    loss = backward(loaded.network, mixed, tokens=ONE_BATCH, precision="fp32", base=base.network)
    found = gradient(loaded)
    told = torch.cat([loaded.network.token_losses(hard), loaded.network.divergences(soft, base.network.expected(soft))])
    told.mean().backward()  # type: ignore[no-untyped-call]
    assert loss == pytest.approx(told.mean().item(), rel=1e-5)
    torch.testing.assert_close(found, gradient(loaded), rtol=1e-4, atol=1e-6)


def test_rows_are_padded_on_the_side_that_is_asked() -> None:
    ids, mask = padded([[5, 6, 7], [8]], pad=9, device=torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    ids, mask = padded([[5, 6, 7], [8]], pad=9, device=torch.device("cpu"), left=True)
    assert ids.tolist() == [[5, 6, 7], [9, 9, 8]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
