"""Shards: each process holds a part of every weight, gradient and moment, and layers are whole only while they compute.

That is FSDP2, PyTorch's `fully_shard`. A forward or backward pass gathers a layer from all processes and lets go of it
again, so that all of them must do the same passes at the same time: what is uneven (rows, the time of a signal, the
length of an answer) is made even, or kept out of the passes. Embeddings, head and last norm stay whole from a forward
pass to the end of its backward pass, since losses are computed behind the network (`model/head.py`).

What is not covered: loading and judging, for which every process holds the whole model, in fp32; and a base whose
expectations are taught, which stands whole in every process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor
from transformers.modeling_layers import GradientCheckpointingLayer

from afters.errors import SettingsError
from afters.model.network import Network, Pair
from afters.model.parallel import Processes

WHERE = "--shard"

SHORT = [Pair((1,), (1,))]
"""Something to pass through a network that no one learns from."""


@dataclass(frozen=True)
class Shards(Processes):
    """All processes of a run, each with its share of one model."""

    module: Any = None
    """The model that is shared out."""

    in_step = True

    def agreed(self, flag: bool) -> bool:
        """Return whether the flag is up in any process."""
        return any(self.any(flag))

    def passes(self, own: Sequence[int]) -> int:
        """Return the most that a process has to do: who has less does as many, and adds nothing by them."""
        return max(own)

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Do nothing: every backward pass has added up its own."""

    def fill(self, weights: Mapping[str, Tensor], whole: Mapping[str, Tensor] | None) -> None:
        """Fill the shares of all processes with what the first one gives."""
        for name, weight in weights.items():
            pour(weight, torch.empty(weight.shape, dtype=weight.dtype) if whole is None else whole[name])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Within this context autocast casts weights anew each time: it would keep every layer's in bf16 to the end."""
        kept = torch.is_autocast_cache_enabled()
        torch.set_autocast_cache_enabled(False)
        try:
            yield
        finally:
            torch.set_autocast_cache_enabled(kept)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Within this context the whole model stands in every process, and computes without the others."""
        parts = [part for part in self.module.modules() if isinstance(part, FSDPModule)]
        for part in parts:
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()
        try:
            yield
        finally:
            for part in parts:
                part.set_reshard_after_forward(part is not self.module, recurse=False)
            # Each process has done other passes. FSDP keeps their order, to gather ahead in the next backward pass.
            self.module.reset_iter_state()


def shard(network: Network, *, processes: Processes) -> Shards:
    """Share out the weights of `network`, in place; every process calls this with the same ones.

    Raises:
        SettingsError: no layers are found to share out, or nothing learns that the loss would reach through them.
    """
    module = network.module
    layers = [part for part in module.modules() if isinstance(part, GradientCheckpointingLayer)]
    if not layers:
        raise SettingsError(
            f"no layer of {type(module).__name__} can be shared out", where=WHERE, hint=f"Run it without {WHERE}."
        )
    with torch.no_grad():
        network.token_losses(SHORT)  # what its head does is known from here on, and tried by no process alone
    device = next(module.parameters()).device
    mesh = init_device_mesh(device.type, (processes.count,))
    for part in [*reversed(layers), module]:
        fully_shard(part, mesh=mesh, reshard_after_forward=part is not module)
        # A token counts once, wherever it is computed: gradients are added up. Only so does gloo do it, too.
        part.set_gradient_divide_factor(1.0)
        part.set_force_sum_reduction_for_comms(True)
    # A T5's layers return their bias as a view. It would matter if something were added to it in place; nothing is.
    warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")
    with torch.random.fork_rng():  # FSDP takes what is called first for the whole
        network.token_losses(SHORT).sum().backward()  # type: ignore[no-untyped-call]
    added_up = any(isinstance(weight.grad, DTensor) for weight in module.parameters())
    module.zero_grad()
    if not added_up:
        raise SettingsError(
            "nothing learns up to the last layer, so that there is little to share out",
            where=WHERE,
            hint=f"Run it without {WHERE}, or name less in [train] frozen.",
        )
    return Shards(processes.rank, processes.count, module)


def whole(tensor: Tensor) -> Tensor:
    """Return a tensor as it was before it was shared out; every process asks for it at the same time."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Mapping[str, Tensor], *, keep: bool) -> dict[str, Tensor]:
    """Return tensors whole, those that were shared out in the processor's memory, where they are to be kept."""
    found = {}
    for name, tensor in tensors.items():
        one = whole(tensor.detach())
        if keep:
            found[name] = one.cpu() if isinstance(tensor, DTensor) else one
    return found


def held_as(weight: Tensor, tensor: Tensor) -> Tensor:
    """Return what belongs to `weight`, as a moment or a row's mean, held as it is: cut if it is as long, on its device.

    Of several processes', the first one's counts. Plain numbers stay what they are.
    """
    tensor = tensor.to(weight.device)
    if not isinstance(weight, DTensor) or not tensor.ndim:
        return tensor
    is_cut = tensor.shape[0] == weight.shape[0]
    return distribute_tensor(tensor, weight.device_mesh, weight.placements if is_cut else [Replicate()])


@torch.no_grad()
def pour(weight: Tensor | nn.Parameter, tensor: Tensor) -> None:
    """Fill a weight, shared out or not, with a whole tensor; of several processes', with the first one's."""
    weight.copy_(held_as(weight, tensor))
