"""Decoder-only: tensors, answers, log-likelihoods, with the prompt never taught and never scored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from afters.model.head import head_only_at, losses_at
from afters.model.network import Begun, Ids, Learner, Pair, but_the_first, padded
from afters.model.sharing import shared_beginning

COUNTS_COLUMNS = frozenset({"gpt_neo", "mpt"})
"""Families that take a token's column for its place, padding included, whatever positions they are told."""


def keeps_states(module: Any) -> bool:
    """Tell whether a decoder keeps more of what it read than keys and values, as Mamba's and Qwen3-Next's layers do."""
    layers = DynamicCache(config=module.config).layers
    return bool(module._is_stateful) or any(
        type(layer) not in (DynamicLayer, DynamicSlidingWindowLayer) for layer in layers
    )


def counts_columns(module: Any) -> bool:
    """Tell whether padding between two tokens of a decoder's row changes what they see of each other.

    A window of attention counts the columns that lie between, and so do some families.
    """
    layers = DynamicCache(config=module.config).layers
    return any(layer.is_sliding for layer in layers) or module.config.model_type in COUNTS_COLUMNS


class Causal(Learner):
    """A Network for models that continue a text (Llama, Qwen, Gemma, GPT-2)."""

    def __init__(self, module: Any, *, packs: bool = False) -> None:
        self.module, self.packs = module, packs
        # A model without a padding token may use any id: padded positions are masked and carry no label.
        self.pad = int(module.config.pad_token_id or 0)

    @property
    def multiples(self) -> tuple[int, int]:
        """As they are: where rows stand in a line, attention pads each by itself."""
        return 1, 1

    def inputs(self, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor, dict[str, Any]]:
        """Return where answer tokens are told, (rows, longest), which they are, and what the module is called with."""
        assert all(pair.prompt for pair in pairs), "nothing stands before the first answer token that could tell it"
        # In one line, virtual tokens would stand before the first row alone.
        in_line = self.packs and not hasattr(self.module, "virtual")
        ids, answers, inputs = self._in_line(pairs) if in_line else self._padded(pairs)
        # What stands at position t is told by the model at t - 1.
        before = torch.roll(answers, -1, dims=1)
        return before, ids[answers], {"input_ids": ids, "use_cache": False, **inputs}

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
        ids = torch.tensor([[token for pair in pairs for token in (*pair.prompt, *pair.answer)]], device=device)
        taught = [[False] * len(pair.prompt) + [True] * len(pair.answer) for pair in pairs]
        positions = torch.cat([torch.arange(length, device=device) for length in lengths])[None]
        # A mask of four dimensions is taken as it is; what it would say, `row_lengths` says.
        told = {"attention_mask": torch.zeros((1, 1, 1, 1), device=device), "position_ids": positions}
        return ids, torch.tensor([sum(taught, [])], device=device), {**told, "row_lengths": lengths}

    def begin(self, prompts: Sequence[Ids]) -> Begun:
        """Read the prompts; what all of them begin with is read once."""
        return _Begun(self.module, prompts, pad=self.pad)


class _Begun:
    """Prompts that a decoder has read, with the keys and values of every token."""

    def __init__(self, module: Any, prompts: Sequence[Ids], *, pad: int) -> None:
        self._module, self._pad = module, pad
        self.past = DynamicCache(config=module.config)
        # Padding stands between a shared beginning and the rest.
        shared = 0 if counts_columns(module) else shared_beginning(prompts)
        if shared:
            self._read_once(prompts[0][:shared], rows=len(prompts))
        ids, own = padded([ids[shared:] for ids in prompts], pad=pad, device=module.device, left=True)
        self._mask = torch.cat([torch.ones_like(own[:, :1]).expand(-1, shared), own], dim=1)
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)[:, shared:]
        self.logits = self._read(ids)

    def _read_once(self, ids: Ids, *, rows: int) -> None:
        with head_only_at(self._module, torch.empty(0, dtype=torch.long, device=self._module.device)):
            self._module(
                input_ids=torch.tensor([ids], device=self._module.device), past_key_values=self.past, use_cache=True
            )
        for layer in self.past.layers:  # copied when the rows go on, not before
            layer.keys, layer.values = (one.expand(rows, -1, -1, -1) for one in (layer.keys, layer.values))

    def _read(self, ids: Tensor) -> Tensor:
        """Read on, (rows, time), and return the logits at the end of each row, (rows, vocabulary)."""
        last = torch.arange(1, len(ids) + 1, device=ids.device) * ids.shape[1] - 1
        with head_only_at(self._module, last):
            logits: Tensor = self._module(input_ids=ids, **self._told()).logits
        return logits

    def _told(self) -> dict[str, Any]:
        kept = {"past_key_values": self.past, "use_cache": True}
        return {"attention_mask": self._mask, "position_ids": self._positions, **kept}

    def write(self, tokens: Tensor) -> None:
        """Go on with one token for each row, (rows,)."""
        self._mask = torch.cat([self._mask, torch.ones_like(self._mask[:, :1])], dim=1)
        self._positions = self._positions[:, -1:] + 1
        self.logits = self._read(tokens[:, None])

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, in this order; a row may come several times."""
        self.past.batch_select_indices(rows)
        self._mask, self._positions = self._mask[rows], self._positions[rows]
        self.logits = self.logits[rows]

    def losses(self, answers: Sequence[Ids]) -> Tensor:
        """Return the negative log-likelihood of each row's answer but for its first token."""
        ids, mask, told = but_the_first(answers, pad=self._pad, device=self._module.device)
        steps = torch.arange(1, ids.shape[1] + 1, device=ids.device)
        self._mask, self._positions = torch.cat([self._mask, mask], dim=1), self._positions[:, -1:] + steps
        return losses_at(self._module, mask.bool(), told, input_ids=ids, **self._told())
