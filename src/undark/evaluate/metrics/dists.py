"""DISTS: how unlike two images are in structure and texture."""

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

__all__ = ["DISTS", "DISTS_TO_GET", "DISTS_VARIABLE", "Dists", "find_dists"]

DISTS_VARIABLE: Final = "UNDARK_DISTS"
"""Environment variable that names the weights' file or its folder."""

DISTS_TO_GET: Final = (
    "name torchvision's file of VGG-16, vgg16-397923af.pth, with --dists-weights or in"
    f" {DISTS_VARIABLE}"
)
"""What to do where the weights are missing."""

DISTS: Final = Metric(
    "DISTS", "{:.4f}", "less", "deep image structure and texture similarity, at full size"
)
"""It has no function of its own: whoever has the weights brings it."""

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_STABLE = 1e-6
_WINDOW = np.outer(
    [0.25, 0.5, 0.25], [0.25, 0.5, 0.25]
)  # Hann's, of five points, without its ends.


class Dists:
    """DISTS with given weights; call it with an output and its truth.

    Ding, Ma, Wang and Simoncelli, "Image Quality Assessment: Unifying Structure and Texture
    Similarity", 2020. The image itself and five layers of VGG-16, with L2 pooling in the place of
    the largest, are compared channel by channel: their means (texture) and how they vary together
    (structure), weighted by alpha and beta as the authors released them.

    Args:
        weights: Parameters of VGG-16 by torchvision's names; ``alpha`` and ``beta`` (1475 values
            each) too, where they are others than the released ones, which come with undark.

    Raises:
        UsageError: They are of another network, or some are missing or of another shape.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Take the network's weights, and alpha and beta so that they sum to 1."""
        self.backbone: Backbone = Backbone(weights, pool=_l2_pool)
        if self.backbone.kind != "vgg":
            raise UsageError(f"DISTS needs VGG-16, not {self.backbone.network.name}")
        edges = np.cumsum([3, *self.backbone.network.channels])
        known = weights if {"alpha", "beta"} <= weights.keys() else parameters("dists")
        both = [known[name].astype(np.float64).reshape(-1) for name in ("alpha", "beta")]
        if any(len(values) != edges[-1] for values in both):
            raise UsageError(f"alpha and beta must have {edges[-1]} values each")
        total = sum(float(values.sum()) for values in both)
        self._alpha, self._beta = (np.split(values / total, edges[:-1]) for values in both)

    def __call__(self, output: NDArray[Any], truth: NDArray[Any]) -> float:
        """The distance, 0 for equal images, about 1 at most; NaN where a side is below 32 pixels.

        Args:
            output: H×W×3 RGB, uint8, uint16 or float in [0, 1].
            truth: Another of the same size.

        Raises:
            UsageError: The images differ in size or are not H×W×3.
        """
        check_pair(output, truth)
        if min(output.shape[:2]) < MINIMUM:
            return math.nan
        pairs = zip(self._layers(output), self._layers(truth), self._alpha, self._beta, strict=True)
        return 1.0 - sum(_similar(one, other, a, b) for one, other, a, b in pairs)

    def _layers(self, image: NDArray[Any]) -> list[Floats]:
        values = to_float(image)
        return [values, *self.backbone((values - _MEAN) / _DEVIATION)]


def _similar(
    one: Floats, other: Floats, alpha: NDArray[np.float64], beta: NDArray[np.float64]
) -> float:
    """How alike two layers are, weighted by channel."""
    first, second = (values.reshape(-1, values.shape[2]) for values in (one, other))
    mean, mean_other = (values.mean(axis=0, dtype=np.float64) for values in (first, second))
    apart, apart_other = first - mean.astype(np.float32), second - mean_other.astype(np.float32)
    spread, spread_other, shared = (
        (a * b).mean(axis=0, dtype=np.float64)
        for a, b in ((apart, apart), (apart_other, apart_other), (apart, apart_other))
    )
    texture = (2 * mean * mean_other + _STABLE) / (mean**2 + mean_other**2 + _STABLE)
    structure = (2 * shared + _STABLE) / (spread + spread_other + _STABLE)
    return float(alpha @ texture + beta @ structure)


def _l2_pool(values: Floats) -> Floats:
    """The root of the mean square around every second place, weighted by a Hann window."""
    rows, columns = (-(-side // 2) for side in values.shape[:2])
    padded = np.pad(values * values, ((1, 1), (1, 1), (0, 0)))
    total = np.full((rows, columns, values.shape[2]), 1e-12, np.float32)
    for y in range(3):
        for x in range(3):
            tap = padded[y : y + 2 * rows - 1 : 2, x : x + 2 * columns - 1 : 2]
            total += np.float32(_WINDOW[y, x]) * tap
    return np.sqrt(total, out=total)


def find_dists(places: Sequence[Path] = ()) -> Dists | None:
    """The metric, if its weights are named in `places` or in the environment variable.

    Args:
        places: The file of VGG-16 and, where others are wanted than the released ones, that of
            ``alpha`` and ``beta``; or folders that hold them.

    Raises:
        UsageError: A file is not one of weights, or is of another network.
    """
    return bring(places, DISTS_VARIABLE, Dists)
