"""Encoder-decoder: tensors, answers, log-likelihoods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from afters.model.head import losses_at
from afters.model.network import Begun, Ids, Learner, Pair, but_the_first, padded

MULTIPLES = 32, 8
"""Of prompts and answers: more would be padding for nothing, fewer are many shapes."""


class Seq2Seq(Learner):
    """A Network for models that read with an encoder and write with a decoder (T5, BART, mT5, Pegasus)."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.pad = int(module.config.pad_token_id or 0)
        self._start = int(module.config.decoder_start_token_id)

    @property
    def multiples(self) -> tuple[int, int]:
        """So batches have few shapes, and a processor need not compile kernels for each (perf/LOG.md).

        Not where that could go beyond a model's last position; a T5 has none.
        """
        positions = getattr(self.module.config, "max_position_embeddings", None) or 0
        fits = positions % MULTIPLES[0] == 0 and not hasattr(self.module, "virtual")
        return MULTIPLES if fits and self.module.device.type == "cpu" else (1, 1)

    def inputs(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Return where answer tokens are told, (rows, longest), which they are, and what the module is called with."""
        device = self.module.device
        prompts, answers = self.multiples
        source, source_mask = padded([pair.prompt for pair in pairs], pad=self.pad, device=device, multiple=prompts)
        target, target_mask = padded([pair.answer for pair in pairs], pad=self.pad, device=device, multiple=answers)
        start = torch.full_like(target[:, :1], self._start)
        keep = target_mask.bool()
        inputs = {
            "input_ids": source,
            "attention_mask": source_mask,
            "decoder_input_ids": torch.cat([start, target[:, :-1]], dim=1),
            "decoder_attention_mask": target_mask,
            "use_cache": False,
        }
        return keep, target[keep], inputs

    def begin(self, prompts: Sequence[Ids]) -> Begun:
        """Read the prompts, each once however many answers follow."""
        return _Begun(self.module, prompts, pad=self.pad, start=self._start)


class _Begun:
    """Prompts that an encoder has read, with the keys and values of what a decoder has written."""

    def __init__(self, module: Any, prompts: Sequence[Ids], *, pad: int, start: int) -> None:
        self._module, self._pad = module, pad
        source, self._mask = padded(prompts, pad=pad, device=module.device)
        self._hidden = module.get_encoder()(input_ids=source, attention_mask=self._mask).last_hidden_state
        self.past = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self.write(torch.full((len(prompts),), start, device=module.device))

    def write(self, tokens: Tensor) -> None:
        """Go on with one token for each row, (rows,)."""
        self.logits = self._module(decoder_input_ids=tokens[:, None], **self._told()).logits[:, -1]

    def _told(self) -> dict[str, Any]:
        kept = {"past_key_values": self.past, "use_cache": True}
        return {"encoder_outputs": (self._hidden,), "attention_mask": self._mask, **kept}

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may come several times."""
        self.past.batch_select_indices(rows)
        self._hidden, self._mask, self.logits = self._hidden[rows], self._mask[rows], self.logits[rows]

    def losses(self, answers: Sequence[Ids]) -> Tensor:
        """Return the negative log-likelihood of each row's answer but for its first token."""
        ids, mask, told = but_the_first(answers, pad=self._pad, device=self._module.device)
        # The decoder looks back only, so that what is padded behind needs no mask.
        return losses_at(self._module, mask.bool(), told, decoder_input_ids=ids, **self._told())
