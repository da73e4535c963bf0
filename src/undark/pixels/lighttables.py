"""Tables by which frames of HDR are shown and lit: of three channels, of 16 bits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.pixels import transfer
from undark.pixels.arrays import Floats, as_floats
from undark.pixels.colour import linear_to_srgb, srgb_to_linear

__all__ = [
    "TOP",
    "Words",
    "linear",
    "linear_of_three",
    "linear_table",
    "mapping",
    "srgb_of_root",
    "three",
    "words",
]

TOP: Final = 65535
"""The largest value of 16 bits."""

Words = NDArray[np.uint16]
"""16 bits of any shape."""

_LEAST: Final = 1e-9


def three(table: NDArray[Any]) -> NDArray[Any]:
    """A table of one channel for three."""
    kind = np.uint16 if table.dtype == np.uint16 else np.float32
    wide = np.repeat(table[:, None], 3, axis=1)
    return np.ascontiguousarray(wide, kind).reshape(1, len(table), 3)


def words(values: NDArray[Any]) -> Words:
    """Of [0, 1], in 16 bits."""
    return np.rint(np.clip(values, 0.0, 1.0) * TOP).astype(np.uint16)


def mapping(peak: float, top: float) -> Floats:
    """What light is multiplied by in tone mapping, by its fourth root relative to `top`."""
    light = np.linspace(0.0, 1.0, TOP + 1) ** 4 * top
    grey = np.repeat(light[None, :, None], 3, axis=2)
    mapped = transfer.tone_map(grey, max(peak, 1.0))[0, :, 0]
    return as_floats(np.where(light > _LEAST, mapped / np.maximum(light, _LEAST), 1.0))


def linear(values: NDArray[Any]) -> Floats:
    """Linear light of values in [0, 1] encoded by the sRGB curve."""
    return srgb_to_linear(values.astype(np.float32))


@lru_cache(maxsize=1)
def linear_table() -> Floats:
    """Linear light of all values of 16 bits."""
    return linear(np.linspace(0.0, 1.0, TOP + 1))


@lru_cache(maxsize=1)
def linear_of_three() -> Floats:
    """The same for three channels."""
    return three(linear_table())


@lru_cache(maxsize=1)
def srgb_of_root() -> Words:
    """Encoded values of light by its square root, of three channels."""
    return three(words(linear_to_srgb(as_floats(np.linspace(0.0, 1.0, TOP + 1) ** 2))))
