"""What the processes of one run do together: each holds a part of the batch, all know the whole.

A run in one process is one of a single part, so methods and callbacks need no other case. What is
random is drawn for the whole batch, and each process takes the rows of its own part: the run is
the same whatever the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

__all__ = [
    "Dropout",
    "dropout",
    "everyone",
    "gather",
    "means",
    "mine",
    "one_of_all",
    "place",
    "rows",
]

T = TypeVar("T")


def place() -> tuple[int, int]:
    """This process's number, from 0, and how many there are."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def means(values: Sequence[float]) -> list[float]:
    """The mean of each value over the processes, all of which must ask."""
    if place()[1] == 1:
        return list(values)
    summed = torch.tensor(values, dtype=torch.float64, device=_device())
    distributed.all_reduce(summed)
    return (summed / place()[1]).tolist()


def one_of_all(flag: bool) -> bool:
    """Whether `flag` holds in any of the processes, all of which must ask."""
    return flag if place()[1] == 1 else means([float(flag)])[0] > 0


def gather(item: T) -> list[T]:
    """What each process gives, in order; plain values and arrays."""
    if place()[1] == 1:
        return [item]
    found: list[Any] = [None] * place()[1]
    distributed.all_gather_object(found, item)
    return found


def everyone(part: Tensor) -> Tensor:
    """The rows of all parts, without gradient; each process gives as many."""
    if place()[1] == 1:
        return part
    parts = [torch.empty_like(part) for _ in range(place()[1])]
    distributed.all_gather(parts, part.contiguous())
    return torch.cat(parts)


def mine(whole: Tensor) -> Tensor:
    """This process's rows of what all have."""
    rank, size = place()
    count = len(whole) // size
    return whole[rank * count : (rank + 1) * count]


def rows(draw: Callable[[int], Tensor], count: int) -> Tensor:
    """`count` random rows for this process's part, of those that `draw` makes for all parts.

    Args:
        draw: Given how many rows, makes them by PyTorch's generator, which all processes seed
            alike.
        count: Rows of this part.
    """
    return mine(draw(count * place()[1]))


def dropout(x: Tensor, share: float, shape: tuple[int, ...]) -> Tensor:
    """`x` without a `share` of itself, chosen at random for each row by masks of `shape`."""
    mask = rows(lambda count: x.new_empty(count, *shape).bernoulli_(1.0 - share), len(x))
    return x * mask.div_(1.0 - share)


class Dropout(nn.Dropout):
    """PyTorch's, drawn for all parts of a batch."""

    def forward(self, input: Tensor) -> Tensor:
        """Leave a share out while it learns."""
        if not self.training or not self.p:
            return input
        return dropout(input, self.p, tuple(input.shape[1:]))


def _device() -> str:
    """Where the processes' backend takes numbers."""
    return "cuda" if distributed.get_backend() == "nccl" else "cpu"
