"""Colour constants and the sRGB curve: luma's weights, and encoded values to light and back."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from undark.photo import FloatImage

__all__ = [
    "LUMA",
    "SRGB_BREAK",
    "SRGB_LINEAR_BREAK",
    "SRGB_OFFSET",
    "SRGB_POWER",
    "SRGB_SLOPE",
    "linear_to_srgb",
    "luma",
    "luma_weights",
    "srgb_to_linear",
]

LUMA: Final = (0.2126, 0.7152, 0.0722)
"""Weights of R, G and B in luma (ITU-R BT.709)."""

SRGB_BREAK: Final = 0.04045
"""Encoded level up to which the sRGB curve is a straight line (IEC 61966-2-1)."""

SRGB_LINEAR_BREAK: Final = 0.0031308
"""The same level in linear light."""

SRGB_SLOPE: Final = 12.92
"""Slope of that line, encoded over linear."""

SRGB_OFFSET: Final = 0.055
"""Offset of the sRGB curve's power law."""

SRGB_POWER: Final = 2.4
"""Its exponent."""


def luma_weights() -> NDArray[np.float32]:
    """`LUMA` as an array, made anew."""
    return np.array(LUMA, dtype=np.float32)


_LUMA: Final = luma_weights()


def srgb_to_linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light of sRGB-encoded values, any shape, both in [0, 1] (IEC 61966-2-1)."""
    curve = np.power(
        (values + np.float32(SRGB_OFFSET)) / np.float32(1.0 + SRGB_OFFSET), np.float32(SRGB_POWER)
    )
    return np.where(values <= SRGB_BREAK, values / np.float32(SRGB_SLOPE), curve).astype(np.float32)


def linear_to_srgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB-encoded values of linear light, any shape, both in [0, 1] (IEC 61966-2-1)."""
    curve = np.float32(1.0 + SRGB_OFFSET) * np.power(values, np.float32(1 / SRGB_POWER))
    curve = curve - np.float32(SRGB_OFFSET)
    line = values * np.float32(SRGB_SLOPE)
    return np.where(values <= SRGB_LINEAR_BREAK, line, curve).astype(np.float32)


def luma(image: FloatImage) -> NDArray[np.float32]:
    """Luma of H×W×3 RGB as H×W: the BT.709 weighted mean of the encoded values."""
    return image @ _LUMA
