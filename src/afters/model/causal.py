"""Decoder-only: tensors, answers, log-likelihoods, with the prompt never taught and never scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from afters.model.head import head_only_at
from afters.model.network import Ids, Pair, Unfinished, padded, token_costs


class Causal:
    """A Network for models that continue a text (Llama, Qwen, Gemma, GPT-2)."""

    def __init__(self, module: Any) -> None:
        self.module = module
        # A model without a padding token may use any id: padded positions are masked and carry no label.
        self.pad = int(module.config.pad_token_id or 0)

    def token_losses(self, pairs: Sequence[Pair]) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order."""
        assert all(pair.prompt for pair in pairs), "nothing stands before the first answer token that could tell it"
        device = self.module.device
        ids, mask = padded([(*pair.prompt, *pair.answer) for pair in pairs], pad=self.pad, device=device)
        answers = torch.zeros_like(mask, dtype=torch.bool)
        for index, pair in enumerate(pairs):
            answers[index, len(pair.prompt) : len(pair.prompt) + len(pair.answer)] = True
        # What stands at position t is told by the model at t - 1.
        before = torch.roll(answers, -1, dims=1)
        with head_only_at(self.module, before):
            logits = self.module(input_ids=ids, attention_mask=mask, use_cache=False).logits
        return token_costs(logits, ids[answers])

    @torch.inference_mode()
    def greedy(self, prompts: Sequence[Ids], *, max_new_tokens: int, ends: Sequence[int]) -> list[list[int]]:
        """Return each prompt's most probable continuation, token by token, with the end token where it came."""
        device = self.module.device
        token, mask = padded(prompts, pad=self.pad, device=device, left=True)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        past = DynamicCache(config=self.module.config)
        rows = Unfinished(len(prompts), ends=ends, device=device)
        for _ in range(max_new_tokens):
            last = torch.arange(1, len(token) + 1, device=device) * token.shape[1] - 1
            with head_only_at(self.module, last):
                logits = self.module(
                    input_ids=token, attention_mask=mask, position_ids=positions, past_key_values=past, use_cache=True
                ).logits  # (rows in the batch, vocabulary)
            token = logits.argmax(dim=-1, keepdim=True)
            rows.take(token[:, 0])
            if rows.all_finished():
                break
            mask = torch.cat([mask, torch.ones_like(token)], dim=1)
            positions = positions[:, -1:] + 1
            if (keep := rows.keep()) is not None:
                past.batch_select_indices(keep)
                token, mask, positions = token[keep], mask[keep], positions[keep]
        return rows.written
