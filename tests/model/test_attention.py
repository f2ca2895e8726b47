"""The lean T5 against transformers' own, which is the oracle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import T5Config, T5ForConditionalGeneration
from transformers.models.gemma.modeling_gemma import GemmaRMSNorm

from afters.model.attention import lean, packed

SHAPE = {"vocab_size": 40, "d_model": 16, "d_kv": 8, "num_heads": 2, "d_ff": 24, "num_layers": 2, "dropout_rate": 0.0}


def model(**changes: Any) -> Any:
    torch.manual_seed(5)
    config = T5Config(**{**SHAPE, "feed_forward_proj": "gated-gelu", "decoder_start_token_id": 0, **changes})
    made = T5ForConditionalGeneration(config)
    made.set_attn_implementation("eager")
    return made.train()


def batch() -> dict[str, Tensor]:
    chance = torch.Generator().manual_seed(3)
    mask = (torch.arange(9) < torch.tensor([[9], [5], [1]])).long()
    return {
        "input_ids": torch.randint(2, 40, (3, 9), generator=chance),
        "attention_mask": mask,
        "labels": torch.randint(2, 40, (3, 6), generator=chance),
    }


def gradients(made: Any) -> dict[str, Tensor]:
    made.zero_grad()
    made(**batch()).loss.backward()
    return {name: weight.grad for name, weight in made.named_parameters()}


def test_loss_and_gradients_are_those_of_transformers() -> None:
    """Up to the fp32 in which transformers takes the norms' variance, whatever the weights are in."""
    plain, quick = model().double(), lean(model().double())
    torch.testing.assert_close(quick(**batch()).loss, plain(**batch()).loss, rtol=1e-7, atol=0)
    expected, found = gradients(plain), gradients(quick)
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() < 1e-6 * gradient.norm(), name


def test_in_bf16_it_is_as_near_to_the_truth_as_transformers_is() -> None:
    truth = gradients(model().double())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        plain, quick = gradients(model()), gradients(lean(model()))

    def error(found: dict[str, Tensor]) -> float:
        return float(sum((found[name] - truth[name]).norm() ** 2 for name in truth) ** 0.5)

    assert error(quick) < 1.5 * error(plain)


def test_dropout_keeps_the_mean_and_takes_its_share() -> None:
    quick = lean(model(dropout_rate=0.25)).double()
    torch.manual_seed(0)
    losses = torch.stack([quick(**batch()).loss for _ in range(60)]).detach()
    assert losses.std() > 0
    assert float(losses.mean()) == pytest.approx(quick.eval()(**batch()).loss.item(), rel=0.1)


def test_what_is_written_is_the_same() -> None:
    plain, quick = model().eval(), lean(model()).eval()
    asked = {name: batch()[name] for name in ("input_ids", "attention_mask")}
    told = [made.generate(**asked, max_new_tokens=8, do_sample=False) for made in (plain, quick)]
    assert torch.equal(*told)


def test_saved_files_do_not_know_of_it(tmp_path: Any) -> None:
    lean(model()).save_pretrained(tmp_path)
    assert "afters" not in (tmp_path / "config.json").read_text()


def test_gemmas_norms_add_their_one_in_fp32() -> None:
    chance = torch.Generator().manual_seed(7)
    plain, values = GemmaRMSNorm(64), torch.randn((50, 64), generator=chance)
    torch.nn.init.normal_(plain.weight, std=0.1, generator=chance)
    plain.bfloat16()
    expected = plain(values.bfloat16())
    around: Any = torch.nn.ModuleList([plain])
    around.set_attn_implementation = lambda name: None  # `packed` wants a whole model
    quick = packed(around)[0](values.bfloat16())
    assert (quick != expected).float().mean() < 0.01, "rounded twice, a tenth of them differ"
