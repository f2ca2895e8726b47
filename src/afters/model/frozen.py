"""Parts of a network that stay as they are while the rest learns, and how much that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from afters.errors import InputError, SettingsError, raise_together, unknown

WHERE = "[train] frozen"


class Trained(NamedTuple):
    """How many of a model's weights learn."""

    trained: int
    all: int

    @property
    def share(self) -> float:
        """The trained share, between 0 and 1."""
        return self.trained / self.all


def freeze(module: nn.Module, *, parts: Sequence[str]) -> None:
    """Let every weight below one of `parts` ("encoder", "decoder.block.0") stand as it is.

    A tensor that two parts share, as a T5's embeddings and its head, goes by the name of the first.

    Raises:
        SettingsError: a part that the network does not have, or nothing that is left to learn.
    """
    names = [name for name, _ in module.named_parameters()]
    raise_together([_no_part(module, part) for part in parts if not any(_below(name, part) for name in names)])
    for name, weight in module.named_parameters():
        if any(_below(name, part) for part in parts):
            weight.requires_grad_(False)
    if not any(weight.requires_grad for weight in module.parameters()):
        raise SettingsError(
            "every weight is frozen, so nothing would learn", where=WHERE, received=", ".join(parts), hint="Name less."
        )


def count(module: nn.Module) -> Trained:
    """Count the weights that learn, and all of them."""
    sizes = [(_size(weight), weight.requires_grad) for weight in module.parameters()]
    return Trained(sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes))


def _size(weight: Tensor) -> int:
    """Return how many numbers a weight has; bitsandbytes packs two of 4 bits into each byte that it shows."""
    packed = getattr(weight, "quant_state", None)
    return math.prod(packed.shape) if packed is not None else weight.numel()


def _below(name: str, part: str) -> bool:
    return name == part or name.startswith(f"{part}.")


def _no_part(module: nn.Module, part: str) -> InputError:
    for name, weight in module.named_parameters(remove_duplicate=False):
        if _below(name, part):
            first = next(other for other, shared in module.named_parameters() if shared is weight)
            return SettingsError(
                f"'{part}' is one tensor with '{first}'", where=WHERE, hint=f"Name that: both are frozen by '{first}'."
            )
    names = [name.split(".") for name, _ in module.named_parameters()]
    known = {".".join(words[:depth]) for words in names for depth in range(1, len(words) + 1)}
    return SettingsError(unknown("part of the model", part, known), where=WHERE)
