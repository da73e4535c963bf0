"""More light for pixels: a gain in linear light, the three channels alike, with a shoulder."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage, to_float
from undark.pixels.arrays import as_floats
from undark.pixels.colour import linear_to_srgb, srgb_to_linear
from undark.pixels.tone import KNEE

__all__ = ["PIECE_PIXELS", "ROOTS", "by_roots", "light_up"]

PIECE_PIXELS: Final = 1 << 15
"""Pixels worked on at a time, so that they stay in the cache."""

ROOTS: Final = np.square(np.linspace(0.0, 1.0, 1 << 16, dtype=np.float32))
"""The values that tables have for :func:`by_roots`."""

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_LOG_OF_2: Final = np.float32(math.log(2.0))


def light_up(
    pixels: NDArray[Any],
    stops: NDArray[np.float32],
    colour: NDArray[np.float32],
    black: NDArray[np.float32],
) -> FloatImage:
    """The image with `stops` more light at each pixel, alike in its three channels.

    In linear light: the black point is taken off, colours are mixed anew, and all three channels
    are multiplied by what brings the largest of them as far as the gain asks and a shoulder lets:
    hues stay, and nothing reaches white that was not white. Black point and colours come in with
    the first EV of light.

    Args:
        pixels: H×W×3, encoded, in native depth.
        stops: H×W in EV; where it is zero the pixel stays as it is.
        colour: 3×3, applied to linear RGB.
        black: Linear level of each channel that becomes black.

    Returns:
        H×W×3 float32 in [0, 1], encoded.
    """
    if not stops.any():
        return to_float(pixels)
    lit = np.empty(pixels.shape, np.float32)
    step = max(1, PIECE_PIXELS // pixels.shape[1])
    for first in range(0, len(pixels), step):
        rows = slice(first, first + step)
        lit[rows] = _light_up(pixels[rows], stops[rows], colour, black)
    return lit


def _light_up(
    pixels: NDArray[Any],
    stops: NDArray[np.float32],
    colour: NDArray[np.float32],
    black: NDArray[np.float32],
) -> FloatImage:
    linear = _linear(pixels)
    come = np.minimum(np.maximum(stops, _ZERO), _ONE)
    if come.min() == 1.0:
        scale = 1.0 / (1.0 - black.astype(np.float64))
        less = np.column_stack((np.diag(scale), -scale * black))
        linear = as_floats(cv2.transform(linear, less))
        np.maximum(linear, _ZERO, out=linear)
        mixed = as_floats(cv2.transform(linear, colour))
        np.maximum(mixed, _ZERO, out=mixed)
    else:
        share = _three(come)
        blacks: Any = (*map(float, black), 0.0)
        taken = as_floats(cv2.multiply(share, blacks))
        linear -= taken
        linear /= np.subtract(_ONE, taken, out=taken)
        np.maximum(linear, _ZERO, out=linear)
        mixed = as_floats(cv2.transform(linear, colour))
        np.maximum(mixed, _ZERO, out=mixed)
        mixed -= linear
        mixed *= share
        mixed += linear
    red, green, blue = cv2.split(mixed)
    most = as_floats(cv2.max(cv2.max(red, green), blue))
    factor = _factor(most, as_floats(cv2.exp(stops * _LOG_OF_2)))
    mixed *= _three(factor)
    lit = _encoded(mixed, pixels.dtype)
    same = stops == 0.0
    if same.any():
        lit[same] = to_float(pixels[same])
    return lit


def _three(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """One plane for each channel: NumPy is slow to repeat it."""
    return as_floats(cv2.merge((plane, plane, plane)))


def _factor(most: NDArray[np.float32], gain: NDArray[np.float32]) -> NDArray[np.float32]:
    """What brings linear levels `most` as far as `gain` asks and a shoulder lets.

    As :func:`undark.pixels.tone.shoulder` does, in place and without branches; both arguments are
    overwritten.
    """
    more = np.maximum(gain, _ONE)
    lit = most * more
    if float(lit.max(initial=0.0)) <= KNEE:
        return gain
    knee = np.float32(KNEE)
    over = lit - knee
    np.maximum(over, _ZERO, out=over)
    more -= knee
    bend = np.divide(_ONE, more, out=more)
    np.subtract(np.float32(1.0 / (1.0 - KNEE)), bend, out=bend)
    bend *= over
    bend += _ONE
    over /= bend
    np.minimum(lit, knee, out=lit)
    lit += over
    np.minimum(lit, _ONE, out=lit)
    lit /= np.maximum(most, np.float32(1e-8), out=most)
    lit *= np.minimum(gain, _ONE, out=bend)
    return lit


def _linear(pixels: NDArray[Any]) -> FloatImage:
    """Linear light of native H×W×3 pixels, of integers by a table."""
    if pixels.dtype.kind != "u":
        return srgb_to_linear(to_float(pixels))
    return as_floats(cv2.LUT(np.ascontiguousarray(pixels), _linear_values(pixels.dtype)))


@lru_cache(maxsize=2)
def _linear_values(dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """The linear light of every value of an integer type."""
    return srgb_to_linear(np.linspace(0.0, 1.0, np.iinfo(dtype).max + 1, dtype=np.float32))


def by_roots(values: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    """What `table`, evenly spaced by roots, holds for values in [0, 1], which are overwritten."""
    np.sqrt(values, out=values)
    values *= np.float32(len(table) - 1)
    values += np.float32(0.5)
    return as_floats(cv2.LUT(values.astype(np.uint16), table)).reshape(values.shape)


@lru_cache(maxsize=1)
def _encoded_values() -> NDArray[np.float32]:
    """`ROOTS`, as linear light, encoded."""
    return linear_to_srgb(ROOTS)


def _encoded(linear: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.float32]:
    """Encoded light; where pixels are of an integer type, to half a level of 16 bits, by a table.

    `linear`, at least zero, is overwritten.
    """
    if dtype.kind != "u":
        return linear_to_srgb(np.minimum(linear, _ONE, out=linear))
    return by_roots(linear, _encoded_values())
