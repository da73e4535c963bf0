"""LPIPS: how unlike two images look to a network that has learned people's judgements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.arrays import check_pair
from undark.evaluate.metrics.backbone import MINIMUM, Backbone, Floats
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.natural import parameters
from undark.evaluate.metrics.perceptual import bring
from undark.photo import to_float

__all__ = ["LPIPS", "LPIPS_TO_GET", "LPIPS_VARIABLE", "Lpips", "find_lpips"]

LPIPS_VARIABLE: Final = "UNDARK_LPIPS"
"""Environment variable that names the weights' files or their folder."""

LPIPS_TO_GET: Final = (
    "name torchvision's file of AlexNet, VGG-16 or SqueezeNet 1.1, such as"
    f" alexnet-owt-7be5be79.pth, with --lpips-weights or in {LPIPS_VARIABLE}"
)
"""What to do where the weights are missing."""

LPIPS: Final = Metric(
    "LPIPS", "{:.4f}", "less", "learned perceptual image patch similarity, version 0.1"
)
"""It has no function of its own: whoever has the weights brings it."""

# Of images in [-1, 1]; torchvision's mean and deviation.
_SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE = np.array([0.458, 0.448, 0.450], np.float32)
_TINY = np.float32(1e-10)


class Lpips:
    """LPIPS with given weights; call it with an output and its truth.

    Zhang, Isola, Efros, Shechtman and Wang, "The Unreasonable Effectiveness of Deep Features as a
    Perceptual Metric", 2018; version 0.1 of their release. What layers say of either image is
    brought to unit length at each place; the squared differences, weighted by channel as people's
    judgements taught, are averaged over places and summed over layers.

    Args:
        weights: Parameters of AlexNet, VGG-16 or SqueezeNet 1.1 by torchvision's names; those of
            the linear layers (``lin0.model.1.weight`` and so on) too, where they are others than
            the released ones, which come with undark.

    Raises:
        UsageError: They are of another network, or some are missing or of another shape.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Know the network by its weights, and take the linear layers learned for it."""
        self.backbone: Backbone = Backbone(weights)
        self._linear = [
            self._weighted(weights, number) for number in range(len(self.backbone.network.channels))
        ]

    def __call__(self, output: NDArray[Any], truth: NDArray[Any]) -> float:
        """The distance, 0 for equal images; NaN where a side is below 32 pixels.

        Args:
            output: H×W×3 RGB, uint8, uint16 or float in [0, 1].
            truth: Another of the same size.

        Raises:
            UsageError: The images differ in size or are not H×W×3.
        """
        check_pair(output, truth)
        if min(output.shape[:2]) < MINIMUM:
            return math.nan
        pairs = zip(self._features(output), self._features(truth), self._linear, strict=True)
        return sum(float(((one - other) ** 2 @ linear).mean()) for one, other, linear in pairs)

    def _features(self, image: NDArray[Any]) -> list[Floats]:
        kept = self.backbone((2 * to_float(image) - 1 - _SHIFT) / _SCALE)
        return [
            values / (np.sqrt(np.sum(values * values, axis=2, keepdims=True)) + _TINY)
            for values in kept
        ]

    def _weighted(self, weights: Mapping[str, NDArray[Any]], number: int) -> Floats:
        """One linear layer: a weight per channel, the user's own or the released one."""
        kind, channels = self.backbone.kind, self.backbone.network.channels[number]
        name = f"lin{number}.model.1.weight"
        if any(key.startswith("lin0.") for key in weights):
            own = weights.get(name)
            if own is None or own.size != channels:
                raise UsageError(f"{name} must be there with {channels} values for {kind}")
            return own.astype(np.float32).reshape(-1)
        return parameters("lpips")[f"{kind}.lin{number}"].astype(np.float32)


def find_lpips(places: Sequence[Path] = ()) -> Lpips | None:
    """The metric, if its weights are named in `places` or in the environment variable.

    Args:
        places: The file of the network and, where others are wanted than the released ones, that of
            the linear layers; or folders that hold them.

    Raises:
        UsageError: A file is not one of weights, or is of another network.
    """
    return bring(places, LPIPS_VARIABLE, Lpips)
