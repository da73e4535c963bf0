"""Tone curves for whole photos: every pixel is looked up, so size hardly matters."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, to_float
from undark.pixels.arrays import as_floats

__all__ = ["SAMPLES", "amplification", "look_up", "sample_points", "tables"]

SAMPLES: Final = 1024
"""Least number of samples of a curve for 16-bit photos not to band."""

_LEVELS: Final = 256


def sample_points(count: int) -> NDArray[np.float32]:
    """Levels in [0, 1] at which a curve of `count` samples is given: (i / (count - 1))².

    They lie evenly over the square root, so that the dark end, where curves are steep, is fine.
    """
    return np.square(np.linspace(0.0, 1.0, count)).astype(np.float32)


def _interpolate(curve: NDArray[np.float32], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """One channel's `curve` at `values` in [0, 1], of any shape."""
    at = np.sqrt(values) * np.float32(len(curve) - 1)
    below = np.minimum(at.astype(np.intp), len(curve) - 2)
    start = curve[below]
    fraction = (at - below).astype(np.float32)
    return np.asarray(start + fraction * (curve[below + 1] - start), np.float32)


def tables(curves: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """The curves as tables for photos of type `dtype`, to be used by :func:`look_up`.

    Args:
        curves: 3×K, sampled at :func:`sample_points`.
        dtype: uint8 and uint16 get an entry per level; floats keep the curves.

    Returns:
        3×L float32, L being 256, 65536 or K.
    """
    dtype = np.dtype(dtype)
    if dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        return np.ascontiguousarray(curves, np.float32)
    top = np.iinfo(dtype).max
    levels = np.arange(top + 1, dtype=np.float32) / np.float32(top)
    return np.stack([_interpolate(curve, levels) for curve in curves.astype(np.float32)])


def look_up(pixels: NDArray[Any], table: NDArray[np.float32]) -> FloatImage:
    """H×W×3 native `pixels` through the `table` of their type, as float32."""
    if pixels.dtype == np.uint8:
        entries = np.ascontiguousarray(table.T).reshape(1, _LEVELS, 3)
        found = cv2.LUT(np.ascontiguousarray(pixels), entries)
        return np.asarray(found, np.float32).reshape(pixels.shape)
    if pixels.dtype == np.uint16:
        channels = [table[i].take(pixels[..., i]) for i in range(3)]
    else:
        values = to_float(pixels)
        channels = [_interpolate(table[i], values[..., i]) for i in range(3)]
    return np.stack(channels, axis=-1)


def amplification(curves: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much of the noise at each of 256 levels of the result the curves have added, in [0, 1].

    The slope of a curve multiplies the noise: 1 - 1 / slope² of its variance is the curve's doing,
    and nothing where the slope is 1 or less. A photo that is left as it is keeps its grain.

    Args:
        curves: 3×K, rising.
    """
    points = np.linspace(0.0, 1.0, _LEVELS, dtype=np.float32)
    mean = np.mean([_interpolate(curve, points) for curve in curves], axis=0)
    slope = np.interp(points, mean, as_floats(np.gradient(mean, points)))
    return (1.0 - 1.0 / np.square(np.maximum(slope, 1.0))).astype(np.float32)
