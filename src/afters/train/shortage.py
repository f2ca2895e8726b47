"""When memory runs out in a step: which errors say so, and how much less is computed at once then."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from afters.errors import SettingsError
from afters.model.network import Network, Pair
from afters.train.loss import micro_batches, padded_lengths

SAID = ("not enough memory", "can't allocate memory", "cannot allocate memory", "out of memory")
"""What PyTorch's allocators write into a RuntimeError that has no type of its own."""


def is_shortage(error: BaseException) -> bool:
    """Tell whether an error says that memory has run out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).casefold() for words in SAID)


def smaller(network: Network, shares: Sequence[Sequence[Pair]], *, tokens: int) -> int:
    """Return a token budget of half of what the widest micro-batch of several rows took, of all processes' shares.

    Raises:
        SettingsError: every micro-batch is one row already.
    """
    batches = [batch for pairs in shares for batch in micro_batches(network, pairs, tokens=tokens)]
    several = [padded_tokens(network, batch) for batch in batches if len(batch) > 1]
    if not several:
        longest = max(len(pair.prompt) + len(pair.answer) for [pair] in batches)
        raise SettingsError(
            f"a single row of {longest:,} tokens does not fit into memory",
            where="[train]",
            expected="room for the gradient of one row",
            hint='Set method = "lora", name a smaller [model] base, or lower [model] max_prompt_tokens.',
        )
    return max(several) // 2


def in_shards(tokens: int) -> SettingsError:
    """Return what is told where nothing can be done again, since the others wait in the middle of a layer."""
    return SettingsError(
        "memory ran out, and a run in shards cannot compute a step again in smaller pieces",
        where="[train] token_budget",
        received=f"{tokens:,}",
        hint="Lower it and begin in another folder (--out), since a run keeps to its settings.",
    )


def padded_tokens(network: Network, batch: Sequence[Pair]) -> int:
    """Return how many tokens a micro-batch is computed on, padding included."""
    lengths = [padded_lengths(network, pair) for pair in batch]
    return len(batch) * (max(prompt for prompt, _ in lengths) + max(answer for _, answer in lengths))
