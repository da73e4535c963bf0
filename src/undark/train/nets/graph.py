"""A network being trained, as a Graph: what modes run in training is what they run in use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from undark.graph import Arrays

__all__ = ["NetworkGraph"]


class NetworkGraph:
    """`network` as a :class:`undark.graph.Graph`: arrays in and out, computed in float32.

    Args:
        network: On any device; it should be in evaluation mode.
        inputs: Names of what it takes, in order.
        outputs: Names of what it gives, in order.
    """

    def __init__(self, network: nn.Module, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        """Wrap `network`, which stays where it is."""
        self._network = network
        self._inputs = tuple(inputs)
        self._outputs = tuple(outputs)

    @torch.no_grad()
    def __call__(self, inputs: Arrays, outputs: Sequence[str]) -> Arrays:
        """The outputs of those names; see :class:`undark.graph.Graph`."""
        device = next(self._network.parameters()).device
        tensors = [_tensor(inputs[name]).to(device) for name in self._inputs]
        with torch.autocast(device.type, enabled=False):
            given = self._network(*tensors)
        named = dict(
            zip(self._outputs, (given,) if isinstance(given, Tensor) else given, strict=True)
        )
        return {name: named[name].float().cpu().contiguous().numpy() for name in outputs}

    def describe(self) -> str:
        """What it is, for errors."""
        return "the network"


def _tensor(values: np.ndarray) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(values))
    # Convolutions are twice as fast so.
    return tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor
