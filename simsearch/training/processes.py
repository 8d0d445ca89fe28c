"""Training in one process or several: devices, and gathering the shares of a batch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from simsearch.errors import MissingExtraError, UsageError
from simsearch.training.recipes import PRECISIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATIENCE = timedelta(hours=6)


class Processes(Protocol):
    """The processes that train together; rank 0 validates, writes and reports."""

    rank: int
    world: int
    device: torch.device

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module on this device, its gradients averaged over the processes."""
        ...

    def gather(self, part: Tensor) -> Tensor:
        """The concatenated parts of all processes, in the order of the ranks; gradients flow back to each part."""
        ...

    def broadcast(self, value: float) -> float:
        """The `value` of rank 0."""
        ...

    def wait(self) -> None:
        """A barrier: returns when all processes have called it."""
        ...


class SingleProcess:
    """The one process of an ordinary run."""

    rank, world = 0, 1

    def __init__(self, device: torch.device | None = None) -> None:
        self.device = device or default_device()

    def wrap(self, module: nn.Module) -> nn.Module:
        return module.to(self.device)

    def gather(self, part: Tensor) -> Tensor:
        return part

    def broadcast(self, value: float) -> float:
        return value

    def wait(self) -> None:
        return None


class MultipleProcesses:
    """The processes that `accelerate launch` or `torchrun` has started, on one machine or on many."""

    def __init__(self) -> None:
        try:
            from accelerate import PartialState
        except ImportError:
            raise MissingExtraError("Training in several processes", "train") from None
        # The others wait while rank 0 evaluates and writes; a launcher ends them if it fails.
        state = PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
        self.rank, self.world, self.device = state.process_index, state.num_processes, state.device
        self.wait: Callable[[], None] = state.wait_for_everyone

    def wrap(self, module: nn.Module) -> nn.Module:
        module = module.to(self.device)
        if self.device.type == "cpu":
            return nn.parallel.DistributedDataParallel(module)
        # Batch normalization uses the statistics of the whole batch, as a share is too small.
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return nn.parallel.DistributedDataParallel(module, device_ids=[self.device.index])

    def gather(self, part: Tensor) -> Tensor:
        joined: Tensor = _Gather.apply(part)  # type: ignore[no-untyped-call]
        return joined

    def broadcast(self, value: float) -> float:
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(shared, src=0)
        return float(shared.item())


class _Gather(torch.autograd.Function):
    """The concatenated parts. The gradient of a part is the sum over all processes; since each of them computes the
    whole loss, averaging over the processes afterwards gives the gradient of that loss."""

    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        del ctx
        parts = [torch.empty_like(part) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        del ctx
        whole = gradients[0].contiguous().clone()
        dist.all_reduce(whole)
        return whole.chunk(dist.get_world_size())[dist.get_rank()]


def open_processes() -> Processes:
    """The processes that this one belongs to, from the environment variables of the launcher."""
    return MultipleProcesses() if int(os.environ.get("WORLD_SIZE", "1")) > 1 else SingleProcess()


def default_device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def shard_of(rows: NDArray[np.int64], processes: Processes) -> NDArray[np.int64]:
    """The rows that this process encodes; equally many for each, so that some of the last may be encoded twice."""
    count = -(-len(rows) // processes.world)
    return np.resize(rows, count * processes.world)[processes.rank * count : (processes.rank + 1) * count]


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """The type in which the network computes; `auto` is 16 bits on a GPU (bfloat16 where it has that), else 32.

    The losses are computed in 32 bits in any case.
    """
    if name not in PRECISIONS:
        raise UsageError(f"no precision {name!r}; there are {', '.join(PRECISIONS)}")
    if name == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    if name == "float16" and device.type != "cuda":
        raise UsageError("precision float16 needs a GPU; on the CPU there are float32 and bfloat16")
    chosen: torch.dtype = getattr(torch, name)
    return chosen


def autocast_to(precision: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which the network computes in this type (mixed precision: the weights stay in 32 bits)."""
    if precision == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


@contextmanager
def processor_threads(count: int) -> Iterator[None]:
    """A context with so many CPU threads; 0 is torch's default."""
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
