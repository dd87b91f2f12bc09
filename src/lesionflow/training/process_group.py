"""The processes that train one network together: what they tell one another, and that they always agree."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import distributed, nn

Value = TypeVar("Value")
#: How processes find and number one another; torchrun and Kubeflow's trainers set the same names.
RANK, LOCAL_RANK, NODE_RANK, WORLD_SIZE = "RANK", "LOCAL_RANK", "GROUP_RANK", "WORLD_SIZE"


@dataclass(frozen=True)
class ProcessGroup:
    """This process among those that train a network together, each on its share of every batch.

    What processes decide alone must be decided alike, or they wait for one another for ever: clocks differ, and a stop file is
    seen by one. So each such decision goes through `share` or `any`.

    Args:
        rank: Number of this process; 0 decides, logs and writes.
        size: How many there are.
        n_local: How many of them are on this machine.
        device: `cpu` or `cuda`.
    """

    rank: int = 0
    size: int = 1
    n_local: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this is the process that decides, logs and writes."""
        return self.rank == 0

    @property
    def n_nodes(self) -> int:
        """Machines."""
        return self.size // self.n_local

    def share(self, value: Value) -> Value:
        """Return the leader's value; those of others are not looked at."""
        if self.size == 1:
            return value
        box: list[Any] = [value if self.leads else None]
        distributed.broadcast_object_list(box, src=0)
        shared: Value = box[0]
        return shared

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all, by rank."""
        if self.size == 1:
            return [value]
        boxes: list[Any] = [None] * self.size
        distributed.all_gather_object(boxes, value)
        return boxes

    def any(self, flag: bool) -> bool:  # noqa: FBT001 - it is what is asked about
        """Tell whether the flag is raised in any process."""
        if self.size == 1:
            return flag
        raised = torch.tensor([int(flag)], device=self.device)
        distributed.all_reduce(raised)
        return bool(raised.item())

    def total(self, sums: torch.Tensor) -> torch.Tensor:
        """Return the sums over all processes, with gradients; each of them must ask, equally often."""
        if self.size == 1:
            return sums
        summed: torch.Tensor = _Total.apply(sums)
        return summed

    def align(self, network: nn.Module) -> None:
        """Give all the leader's buffers, such as the statistics of batch normalization, which are not averaged in training."""
        if self.size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)


class _Total(torch.autograd.Function):
    """Sums over processes; torch's own (torch.distributed.nn) is deprecated.

    What a process adds goes into the loss of each of them, so that its gradient is the sum of theirs; the mean of all
    processes' gradients, which DDP takes, is then that of one process with the whole batch.
    """

    @staticmethod
    def forward(_: Any, sums: torch.Tensor) -> torch.Tensor:
        summed = sums.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return _Total.forward(None, gradients[0])


#: A process that trains alone.
SINGLE_PROCESS = ProcessGroup()


@contextmanager
def join_process_group(device: str) -> Iterator[ProcessGroup]:
    """Join the process group that the environment names (`RANK`, `LOCAL_RANK`, `WORLD_SIZE`, `MASTER_ADDR`, `MASTER_PORT`).

    Args:
        device: `cpu` (gloo) or `cuda` (NCCL).

    Yields:
        The process group.
    """
    rank, size, local = (int(os.environ[name]) for name in (RANK, WORLD_SIZE, LOCAL_RANK))
    n_local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device == "cuda":
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if device == "cuda" else "gloo", rank=rank, world_size=size)
    try:
        yield ProcessGroup(rank, size, n_local, device)
    finally:
        distributed.destroy_process_group()
