"""Encoder-decoder: tensors, answers, log-likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from afters.model.head import losses_at
from afters.model.network import Ids, Pair, Unfinished, padded


class Seq2Seq:
    """A Network for models that read with an encoder and write with a decoder (T5, BART, mT5, Pegasus)."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.pad = int(module.config.pad_token_id or 0)
        self._start = int(module.config.decoder_start_token_id)

    def token_losses(self, pairs: Sequence[Pair], *, smoothing: float = 0.0) -> Tensor:
        """Return the negative log-likelihood of every answer token, (answer tokens of all pairs,), in order."""
        device = self.module.device
        source, source_mask = padded([pair.prompt for pair in pairs], pad=self.pad, device=device)
        target, target_mask = padded([pair.answer for pair in pairs], pad=self.pad, device=device)
        start = torch.full_like(target[:, :1], self._start)
        keep = target_mask.bool()
        return losses_at(
            self.module,
            keep,
            target[keep],
            smoothing=smoothing,
            input_ids=source,
            attention_mask=source_mask,
            decoder_input_ids=torch.cat([start, target[:, :-1]], dim=1),
            decoder_attention_mask=target_mask,
            use_cache=False,
        )

    @torch.inference_mode()
    def greedy(self, prompts: Sequence[Ids], *, max_new_tokens: int, ends: Sequence[int]) -> list[list[int]]:
        """Return each prompt's most probable continuation, token by token, with the end token where it came."""
        device = self.module.device
        source, mask = padded(prompts, pad=self.pad, device=device)
        hidden = self.module.get_encoder()(input_ids=source, attention_mask=mask).last_hidden_state
        past = EncoderDecoderCache(DynamicCache(), DynamicCache())
        token = torch.full((len(prompts), 1), self._start, device=device)
        rows = Unfinished(len(prompts), ends=ends, device=device)
        for _ in range(max_new_tokens):
            logits = self.module(
                encoder_outputs=(hidden,),
                attention_mask=mask,
                decoder_input_ids=token,
                past_key_values=past,
                use_cache=True,
            ).logits  # (rows in the batch, 1, vocabulary)
            token = logits[:, -1].argmax(dim=-1, keepdim=True)
            rows.take(token[:, 0])
            if rows.all_finished():
                break
            if (keep := rows.keep()) is not None:
                past.batch_select_indices(keep)
                hidden, mask, token = hidden[keep], mask[keep], token[keep]
        return rows.written
