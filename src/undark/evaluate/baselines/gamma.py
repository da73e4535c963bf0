"""Brightening by a power of every sample, fixed or chosen by the photo's mean."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from undark.photo import Photo, from_float, to_float

__all__ = ["TARGET_MEAN", "automatic_gamma", "fixed_gamma"]

TARGET_MEAN: Final = 0.45
"""The mean level that :func:`automatic_gamma` brings a photo to."""

_STEEPEST = 6.0  # log2 of the most extreme exponent; a black photo has no solution.
_LEVELS = 65535
_FIXED = 1 / 2.2


def fixed_gamma(photo: Photo) -> Photo:
    """The photo to the power of 1/2.2, whatever it holds."""
    values = to_float(photo.pixels) ** np.float32(_FIXED)
    return photo.with_pixels(from_float(values, photo.pixels.dtype))


def automatic_gamma(photo: Photo) -> Photo:
    """The photo to the power that brings the mean of all its samples to `TARGET_MEAN`.

    The exponent is solved for, not taken as log(target) / log(mean), so that the mean really is
    met; it is kept within 1/64 to 64.
    """
    values = to_float(photo.pixels)
    result = from_float(values ** np.float32(_exponent(values)), photo.pixels.dtype)
    return photo.with_pixels(result)


def _exponent(values: NDArray[Any]) -> float:
    # Every level of 8 and of 16 bits has a bin of its own, black above all.
    counts = np.bincount(np.rint(values * np.float32(_LEVELS)).astype(np.int64).ravel())
    present = np.flatnonzero(counts)
    levels, counts = present / _LEVELS, counts[present]
    low, high = -_STEEPEST, _STEEPEST
    for _ in range(40):
        middle = (low + high) / 2
        # The mean falls as the exponent grows.
        if np.average(levels ** (2.0**middle), weights=counts) > TARGET_MEAN:
            low = middle
        else:
            high = middle
    return float(2.0 ** ((low + high) / 2))
