"""The first layers of AlexNet, VGG-16 and SqueezeNet 1.1 on NumPy, as perceptual metrics use them.

An image passes through the convolutions of a network that learned ImageNet; what some of its layers
say is kept. Weights are named as torchvision names them (``features.0.weight`` and so on), and are
no part of undark.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from undark.errors import UsageError

__all__ = ["MINIMUM", "NETWORKS", "Backbone", "Floats", "Network", "check_digest"]

Floats = NDArray[np.float32]

Pool = Callable[[Floats], Floats]
"""Values h×w×channels to fewer places."""

MINIMUM: Final = 32
"""Shorter side, in pixels, from which all three networks have places left in every layer."""

_COLUMNS = 1 << 24  # Numbers gathered at once for one multiplication: 64 MB.
_OFFICIAL = re.compile(r"-([0-9a-f]{8})\.pth$")


@dataclass(frozen=True, slots=True)
class _Convolution:
    """``features.INDEX`` and the ReLU after it; its weights say how large its kernel is."""

    index: int
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True, slots=True)
class _Fire:
    """SqueezeNet's module: 1×1 convolutions, then 1×1 and 3×3 ones side by side."""

    index: int


_POOL: Final = "pool"
_KEEP: Final = "keep"
_Step = _Convolution | _Fire | str


@dataclass(frozen=True, slots=True)
class Network:
    """A network's first layers.

    Attributes:
        name: As people write it.
        channels: Of each layer that is kept.
        first: Shape of ``features.0.weight``, by which its weights are known.
        pool: Its own pooling.
        steps: What is done one after another.
    """

    name: str
    channels: tuple[int, ...]
    first: tuple[int, ...]
    pool: Pool
    steps: tuple[_Step, ...]


def max_pool(values: Floats, size: int, *, ceil: bool = False) -> Floats:
    """Largest of `size`×`size` neighbours, at every second place; `ceil` takes parts at the end."""
    rounded = math.ceil if ceil else math.floor
    rows, columns = (rounded((side - size) / 2) + 1 for side in values.shape[:2])
    height, width = values.shape[:2]
    spare = (max(0, 2 * (rows - 1) + size - height), max(0, 2 * (columns - 1) + size - width))
    if any(spare):
        widths = ((0, spare[0]), (0, spare[1]), (0, 0))
        values = np.pad(values, widths, constant_values=-np.inf)
    taps = [
        values[y : y + 2 * rows - 1 : 2, x : x + 2 * columns - 1 : 2]
        for y in range(size)
        for x in range(size)
    ]
    largest = taps[0].copy()
    for tap in taps[1:]:
        np.maximum(largest, tap, out=largest)
    return largest


# fmt: off
_ALEX: tuple[_Step, ...] = (
    _Convolution(0, stride=4, padding=2), _KEEP,
    _POOL, _Convolution(3, padding=2), _KEEP,
    _POOL, _Convolution(6), _KEEP, _Convolution(8), _KEEP, _Convolution(10), _KEEP,
)
_VGG: tuple[_Step, ...] = (
    _Convolution(0), _Convolution(2), _KEEP,
    _POOL, _Convolution(5), _Convolution(7), _KEEP,
    _POOL, _Convolution(10), _Convolution(12), _Convolution(14), _KEEP,
    _POOL, _Convolution(17), _Convolution(19), _Convolution(21), _KEEP,
    _POOL, _Convolution(24), _Convolution(26), _Convolution(28), _KEEP,
)
_SQUEEZE: tuple[_Step, ...] = (
    _Convolution(0, stride=2, padding=0), _KEEP,
    _POOL, _Fire(3), _Fire(4), _KEEP,
    _POOL, _Fire(6), _Fire(7), _KEEP,
    _POOL, _Fire(9), _KEEP, _Fire(10), _KEEP, _Fire(11), _KEEP, _Fire(12), _KEEP,
)
# fmt: on

NETWORKS: Final[Mapping[str, Network]] = {
    "alex": Network(
        "AlexNet",
        channels=(64, 192, 384, 256, 256),
        first=(64, 3, 11, 11),
        pool=lambda values: max_pool(values, 3),
        steps=_ALEX,
    ),
    "vgg": Network(
        "VGG-16",
        channels=(64, 128, 256, 512, 512),
        first=(64, 3, 3, 3),
        pool=lambda values: max_pool(values, 2),
        steps=_VGG,
    ),
    "squeeze": Network(
        "SqueezeNet 1.1",
        channels=(64, 128, 256, 384, 384, 512, 512),
        first=(64, 3, 3, 3),
        pool=lambda values: max_pool(values, 3, ceil=True),
        steps=_SQUEEZE,
    ),
}
"""The networks by the short names that LPIPS gives them."""


class Backbone:
    """A network with given weights; call it with an image for what its layers say.

    Args:
        weights: Parameters by torchvision's names; those of other layers are ignored.
        pool: In the place of the network's own pooling.

    Raises:
        UsageError: They are of none of the `NETWORKS`, or some are missing.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], *, pool: Pool | None = None) -> None:
        """Find out which network it is, and put its weights in order."""
        self.kind: str = _kind(weights)
        self.network: Network = NETWORKS[self.kind]
        self._pool = self.network.pool if pool is None else pool
        self._parts: dict[str, tuple[Floats, Floats]] = {}
        for step in self.network.steps:
            if isinstance(step, str):
                continue
            own = (
                [""] if isinstance(step, _Convolution) else [".squeeze", ".expand1x1", ".expand3x3"]
            )
            for name in (f"features.{step.index}{part}" for part in own):
                self._parts[name] = _part(weights, name, self.network.name)

    def __call__(self, values: Floats) -> list[Floats]:
        """What the layers that are kept say of an image: h×w×channels each, 0 or more.

        Args:
            values: H×W×3, at least `MINIMUM` on either side, normalised as the network learned.
        """
        kept: list[Floats] = []
        for step in self.network.steps:
            if isinstance(step, _Convolution):
                values = self._convolve(values, f"features.{step.index}", step.stride, step.padding)
            elif isinstance(step, _Fire):
                name = f"features.{step.index}"
                squeezed = self._convolve(values, f"{name}.squeeze", 1, 0)
                values = np.concatenate(
                    [
                        self._convolve(squeezed, f"{name}.expand1x1", 1, 0),
                        self._convolve(squeezed, f"{name}.expand3x3", 1, 1),
                    ],
                    axis=2,
                )
            elif step == _POOL:
                values = self._pool(values)
            else:
                kept.append(values)
        return kept

    def _convolve(self, values: Floats, name: str, stride: int, padding: int) -> Floats:
        """A convolution and its ReLU, as one multiplication for a run of rows at a time."""
        weight, bias = self._parts[name]
        size = math.isqrt(weight.shape[0] // values.shape[2])
        widths = ((padding, padding), (padding, padding), (0, 0))
        windows = sliding_window_view(np.pad(values, widths), (size, size), axis=(0, 1))
        windows = windows[::stride, ::stride].transpose(0, 1, 3, 4, 2)
        rows, columns = windows.shape[:2]
        found = np.empty((rows, columns, weight.shape[1]), np.float32)
        step = max(1, _COLUMNS // (columns * weight.shape[0]))
        for start in range(0, rows, step):
            part = windows[start : start + step].reshape(-1, weight.shape[0])
            found[start : start + step] = (part @ weight + bias).reshape(-1, columns, len(bias))
        return np.maximum(found, 0, out=found)


def _kind(weights: Mapping[str, NDArray[Any]]) -> str:
    first = weights.get("features.0.weight")
    for kind, network in NETWORKS.items():
        # VGG-16 and SqueezeNet begin alike, so a later name decides between them.
        fire = "features.3.squeeze.weight" in weights
        if first is not None and first.shape == network.first and fire == (kind == "squeeze"):
            return kind
    known = ", ".join(network.name for network in NETWORKS.values())
    raise UsageError(f"not the weights of {known}, as torchvision names them")


def _part(weights: Mapping[str, NDArray[Any]], name: str, network: str) -> tuple[Floats, Floats]:
    """A convolution's weights as columns×outputs, in the order of h×w×channels, and its bias."""
    try:
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    except KeyError as error:
        raise UsageError(f"not the weights of {network}: {error} is missing") from error
    flat = weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])
    return np.ascontiguousarray(flat, np.float32), bias.astype(np.float32)


def check_digest(path: Path) -> None:
    """Check a file that is named as PyTorch names its releases, ``NAME-DIGEST.pth``, by its sha256.

    Raises:
        UsageError: It is another file, or cannot be read.
    """
    named = _OFFICIAL.search(path.name)
    if named is None:
        return
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{path}: cannot read the weights: {error.strerror}") from error
    if not digest.startswith(named[1]):
        raise UsageError(f"{path}: not the weights: its sha256 does not begin with {named[1]}")
