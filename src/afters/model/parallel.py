"""Several processes as one: who they are, and how they add up, share out and agree. torchrun starts them.

Every process holds the whole model and computes a share of each step; gradients are added up, so that all take the
same update. `model/shards.py` shares out the model as well. What is passed around besides tensors is JSON: nothing is
pickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

import torch
import torch.distributed as distributed
from torch import Tensor

PATIENCE = timedelta(hours=12)
"""How long the others wait for a process: the first one reads, judges and writes alone."""

BUCKET = 2**24
"""Numbers that are added up at once: enough to be quick, few enough to need little room."""


@dataclass(frozen=True)
class Processes:
    """All processes of a run, as one of them sees them."""

    rank: int = 0
    count: int = 1

    in_step: ClassVar[bool] = False
    """Whether each must do the passes of the others, at the same time."""

    @property
    def first(self) -> bool:
        """Whether this is the one that reads and writes the run folder."""
        return self.rank == 0

    def told(self, content: Any = None) -> Any:
        """Return what the first process says, to all; what the others give is not looked at."""
        if self.count == 1:
            return content
        text = torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)
        size = torch.tensor([len(text)])
        distributed.broadcast(size, 0)
        if not self.first:
            text = torch.empty(int(size), dtype=torch.uint8)
        distributed.broadcast(text, 0)
        return json.loads(text.numpy().tobytes())

    def gathered(self, content: Any) -> list[Any]:
        """Return what each process says, to all, in the order of their ranks."""
        if self.count == 1:
            return [content]
        text = torch.frombuffer(bytearray(json.dumps(content).encode()), dtype=torch.uint8)
        sizes = [torch.empty(1, dtype=torch.long) for _ in range(self.count)]
        distributed.all_gather(sizes, torch.tensor([len(text)]))
        longest = max(int(size) for size in sizes)
        texts = [torch.empty(longest, dtype=torch.uint8) for _ in range(self.count)]
        distributed.all_gather(texts, torch.nn.functional.pad(text, (0, longest - len(text))))
        return [json.loads(whole[: int(size)].numpy().tobytes()) for whole, size in zip(texts, sizes, strict=True)]

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Return for each flag whether it is up in any process."""
        return tuple(map(any, zip(*self.gathered(flags), strict=True)))

    def add_gradients(self, weights: Sequence[Tensor]) -> None:
        """Replace every weight's gradient by the sum over all processes; a weight without one anywhere has none."""
        if self.count == 1:
            return
        taught = self.any(*(weight.grad is not None for weight in weights))
        for bucket in _buckets([weight for weight, learns in zip(weights, taught, strict=True) if learns]):
            parts = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in bucket]
            total = torch.cat([part.flatten() for part in parts])
            distributed.all_reduce(total)
            for weight, part in zip(bucket, torch.split(total, [part.numel() for part in parts]), strict=True):
                weight.grad = part.view_as(weight)

    def agreed(self, flag: bool) -> bool:
        """Return whether a flag is up that may come up in one process: in this one, if they need not go in step."""
        return flag

    def passes(self, own: Sequence[int]) -> int:
        """Return how many passes this process does, given how many each of them has to do."""
        return own[self.rank]

    def together(self) -> AbstractContextManager[None]:
        """Return a context for the passes of a step."""
        return nullcontext()

    def standing(self) -> AbstractContextManager[None]:
        """Return a context within which the whole model stands in every process."""
        return nullcontext()

    @torch.no_grad()
    def fill(self, weights: Mapping[str, Tensor], whole: Mapping[str, Tensor] | None) -> None:
        """Fill the weights of all processes with what the first one gives."""
        for name, weight in weights.items():
            if whole is not None:
                weight.copy_(whole[name])
            if self.count > 1:
                distributed.broadcast(weight.detach(), 0)

    def leave(self) -> None:
        """Part in peace, so that no process is missed."""
        if self.count > 1:
            distributed.destroy_process_group()


ALONE = Processes()
"""The only process."""


def join() -> Processes:
    """Return the processes that torchrun has started, once all of them are there; ALONE without it."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE
    if not distributed.is_initialized():
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    return Processes(distributed.get_rank(), distributed.get_world_size())


def _buckets(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Cut weights, in order, into buckets of at most BUCKET numbers, and of one kind of number each."""
    bucket: list[Tensor] = []
    for weight in weights:
        full = sum(one.numel() for one in bucket) + weight.numel() > BUCKET
        if bucket and (full or bucket[0].dtype != weight.dtype):
            yield bucket
            bucket = []
        bucket.append(weight)
    if bucket:
        yield bucket
