"""Decoder-only: tensors, answers, log-likelihoods, with the prompt never taught and never scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from afters.model.head import head_only_at, losses_at
from afters.model.network import Ids, Pair, Unfinished, padded


class Causal:
    """A Network for models that continue a text (Llama, Qwen, Gemma, GPT-2)."""

    def __init__(self, module: Any, *, packs: bool = False) -> None:
        self.module, self.packs = module, packs
        # A model without a padding token may use any id: padded positions are masked and carry no label.
        self.pad = int(module.config.pad_token_id or 0)

    def token_losses(self, pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order."""
        assert all(pair.prompt for pair in pairs), "nothing stands before the first answer token that could tell it"
        # In one line, virtual tokens would stand before the first row alone.
        in_line = self.packs and not hasattr(self.module, "virtual")
        ids, answers, inputs = self._in_line(pairs) if in_line else self._padded(pairs)
        # What stands at position t is told by the model at t - 1.
        before = torch.roll(answers, -1, dims=1)
        return losses_at(
            self.module, before, ids[answers], smoothing=smoothing, input_ids=ids, use_cache=False, **inputs
        )

    def _padded(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Return ids and where answers stand, (rows, longest), and what else the module must be told."""
        ids, mask = padded([(*pair.prompt, *pair.answer) for pair in pairs], pad=self.pad, device=self.module.device)
        answers = torch.zeros_like(mask, dtype=torch.bool)
        for index, pair in enumerate(pairs):
            answers[index, len(pair.prompt) : len(pair.prompt) + len(pair.answer)] = True
        return ids, answers, {"attention_mask": mask}

    def _in_line(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Return the same of all rows in one line, (1, tokens): nothing is padded, and no row sees another."""
        device = self.module.device
        lengths = [len(pair.prompt) + len(pair.answer) for pair in pairs]
        ids = torch.tensor([[token for pair in pairs for ids in pair for token in ids]], device=device)
        taught = [[False] * len(pair.prompt) + [True] * len(pair.answer) for pair in pairs]
        positions = torch.cat([torch.arange(length, device=device) for length in lengths])[None]
        # A mask of four dimensions is taken as it is; what it would say, `row_lengths` says.
        told = {"attention_mask": torch.zeros((1, 1, 1, 1), device=device), "position_ids": positions}
        return ids, torch.tensor([sum(taught, [])], device=device), {**told, "row_lengths": lengths}

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
