"""The LM head, computed only where it is asked for.

Most positions of a batch carry no label, and the head is most of a small model's arithmetic. A hook in front of
the head keeps only the chosen rows, so every architecture's own forward (scaling, bias, soft-capping) still runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def head_only_at(network: nn.Module, keep: Tensor) -> Iterator[None]:
    """Within this context `network(...)` returns logits of shape (kept, vocabulary).

    Args:
        network: a transformers model with a language-modelling head.
        keep: flat indices into (batch * time), or a boolean mask of shape (batch, time).
    """
    rows = keep.flatten().nonzero().squeeze(-1) if keep.dtype == torch.bool else keep

    def select(_: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        hidden = arguments[0]  # (batch, time, width)
        return (hidden.reshape(-1, hidden.shape[-1]).index_select(0, rows), *arguments[1:])

    head = network.get_output_embeddings()  # type: ignore[operator]
    handle = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        handle.remove()
