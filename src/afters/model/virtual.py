"""Virtual tokens, which no text spells, in front of every prompt: prompt tuning and prefix tuning.

peft keeps and saves them. Its own model puts them in place by being called in the network's stead, which our decoding
and our loss do not do. Here hooks stand at the doors of the network's stacks instead: what goes in gets the virtual
tokens, what comes out has lost them again, and whoever calls the network need not know.

Not covered: rows packed into one sequence, which would all but the first have no virtual tokens in front; and decoders
whose attention counts columns, which `check_padding` refuses. In a batch that is asked, a row is its virtual tokens,
its padding, its prompt: there an answer would depend on the longest prompt beside it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from peft import PeftType, PrefixTuningConfig, PromptLearningConfig, PromptTuningConfig, TaskType
from torch import Tensor
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from afters.errors import ModelError
from afters.model.causal import counts_columns

Arguments = dict[str, Any]


def prompt_config(task: TaskType, *, tokens: int) -> PromptLearningConfig:
    """Return what peft calls prompt tuning (Lester et al. 2021, arXiv:2104.08691).

    The tokens begin as words of the vocabulary, drawn at random: in the paper these do better than random numbers.
    """
    return PromptTuningConfig(
        task_type=task,
        num_virtual_tokens=tokens,
        prompt_tuning_init="SAMPLE_VOCAB",
        # For encoder-decoders peft would keep as many again for the decoder, and use none of them.
        num_transformer_submodules=1,
    )


def prefix_config(task: TaskType, config: Any, *, tokens: int, hidden: int | None) -> PromptLearningConfig:
    """Return what peft calls prefix tuning (Li and Liang 2021, arXiv:2101.00190): keys and values for every layer."""
    shape: Arguments = {}
    if task == TaskType.SEQ_2_SEQ_LM:
        # The prefix stands before what the decoder writes. peft would take the encoder's shape, and a T5's width for
        # that of its heads, which it is not in FLAN-T5-small.
        heads = int(getattr(config, "decoder_attention_heads", None) or config.num_heads)
        width = int(getattr(config, "d_kv", None) or config.d_model // heads)
        layers = int(getattr(config, "decoder_layers", None) or config.num_decoder_layers)
        shape = {"num_layers": layers, "num_attention_heads": heads, "token_dim": heads * width}
    return PrefixTuningConfig(
        task_type=task,
        num_virtual_tokens=tokens,
        prefix_projection=hidden is not None,
        encoder_hidden_size=hidden,
        **shape,
    )


def check_padding(module: Any, *, where: str) -> None:
    """Refuse a decoder for which padding between virtual tokens and prompt is not as if it were not there."""
    if module.config.is_encoder_decoder or not counts_columns(module):
        return
    raise ModelError(
        f"virtual tokens cannot stand in front of what a {module.config.model_type} reads",
        where=where,
        expected="a decoder whose layers all see the whole text and go by positions, as Llama's or Qwen3's",
        received="attention that counts the padding before a shorter prompt: answers would depend on their batch",
        hint='Take another method, as [train] method = "lora", or another [model] base.',
    )


def stand_in_front(adapted: Any) -> None:
    """Let peft's virtual tokens stand in front of every prompt that the network below is given, and learn with it."""
    base, config = adapted.get_base_model(), adapted.active_peft_config
    base.virtual = adapted.prompt_encoder
    door = _Door(adapted, base, config.num_virtual_tokens)
    deep, reads = config.peft_type == PeftType.PREFIX_TUNING, base.config.is_encoder_decoder
    if deep:
        stack = base.get_decoder() if reads else base.base_model
        stack.register_forward_pre_hook(door.prefixed, with_kwargs=True)
    elif reads:
        base.get_encoder().register_forward_pre_hook(door.prompted, with_kwargs=True)
        base.get_decoder().register_forward_pre_hook(door.seen, with_kwargs=True)
    else:
        base.base_model.register_forward_pre_hook(door.prompted, with_kwargs=True)
        base.base_model.register_forward_hook(door.without, with_kwargs=True)


class _Door(NamedTuple):
    """Hooks of PyTorch: each is given the arguments of a call, and returns those that the stack gets."""

    adapted: Any
    base: Any
    tokens: int

    def prompted(self, _: object, arguments: tuple[Any, ...], named: Arguments) -> tuple[tuple[()], Arguments]:
        """Put the embeddings of the virtual tokens before those of the prompt, once; later they are in the cache."""
        named = _by_name(arguments, named)
        positions, first = named.get("position_ids"), _is_empty(named.get("past_key_values"))
        if positions is not None:
            positions = positions + self.tokens
        if first:
            read = self.base.get_input_embeddings()(named["input_ids"])  # (rows, time, width)
            virtual = self.adapted.get_prompt(batch_size=len(read))[:, : self.tokens].to(read.dtype)
            named |= {"input_ids": None, "inputs_embeds": torch.cat([virtual, read], dim=1)}
            if positions is not None:
                before = torch.arange(self.tokens, device=positions.device).expand(len(positions), -1)
                positions = torch.cat([before, positions], dim=1)
        if positions is not None:
            named["position_ids"] = positions
        return (), named | {"attention_mask": self._wider(named.get("attention_mask"))}

    def without(self, _: object, arguments: object, named: Arguments, output: Any) -> Any:
        """Leave out what the network says at the virtual tokens."""
        if named.get("inputs_embeds") is not None:
            output.last_hidden_state = output.last_hidden_state[:, self.tokens :]
        return output

    def seen(self, _: object, arguments: tuple[Any, ...], named: Arguments) -> tuple[tuple[()], Arguments]:
        """Let the decoder see the virtual tokens that the encoder has read."""
        named = _by_name(arguments, named)
        return (), named | {"encoder_attention_mask": self._wider(named.get("encoder_attention_mask"))}

    def prefixed(self, _: object, arguments: tuple[Any, ...], named: Arguments) -> tuple[tuple[()], Arguments]:
        """Put the prefix into the cache that is given, or into a new one, when it is empty."""
        named = _by_name(arguments, named)
        past = named.get("past_key_values")
        if past is None and self.base.config.is_encoder_decoder:
            past = EncoderDecoderCache(DynamicCache(), DynamicCache())
        elif past is None:
            past = DynamicCache(config=self.base.config)
        if _is_empty(past):
            self._fill(past, rows=len(named["input_ids"]))
        if named.get("position_ids") is not None:
            named["position_ids"] = named["position_ids"] + self.tokens
        return (), named | {"past_key_values": past, "attention_mask": self._wider(named.get("attention_mask"))}

    def _fill(self, past: Any, *, rows: int) -> None:
        prefix = _own(self.adapted.get_prompt(batch_size=rows))
        for index, layer in enumerate(prefix.layers):
            _own(past).update(_as_computed(layer.keys), _as_computed(layer.values), index)

    def _wider(self, mask: Tensor | None) -> Tensor | None:
        """Return a mask over (rows, virtual tokens and time)."""
        return None if mask is None else torch.cat([mask.new_ones(len(mask), self.tokens), mask], dim=1)


def _by_name(arguments: tuple[Any, ...], named: Arguments) -> Arguments:
    """Return all arguments by name: of those that come without, every stack's first are its token ids."""
    assert len(arguments) <= 1, "a stack is given its token ids, and all else by name"
    return {**named, **({"input_ids": arguments[0]} if arguments else {})}


def _own(past: Any) -> Any:
    """Return the cache of a stack's attention to itself."""
    return past.self_attention_cache if isinstance(past, EncoderDecoderCache) else past


def _is_empty(past: Any) -> bool:
    return past is None or _own(past).get_seq_length() == 0


def _as_computed(tensor: Tensor) -> Tensor:
    """Return `tensor` in the precision that the layers' own keys and values come in."""
    kind = tensor.device.type
    return tensor.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else tensor
