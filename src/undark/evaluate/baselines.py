"""What needs no model: the numbers that every model has to beat.

Each is Photo in, Photo of the same size and depth out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.evaluate.retinex import lime, msrcr
from undark.photo import Photo, from_float, to_float

__all__ = [
    "BASELINES",
    "TARGET_MEAN",
    "automatic_gamma",
    "clahe",
    "equalise",
    "fixed_gamma",
    "identity",
]

TARGET_MEAN: Final = 0.45
"""The mean level that :func:`automatic_gamma` brings a photo to."""

_STEEPEST = 6.0  # log2 of the most extreme exponent; a black photo has no solution.
_LEVELS = 65535
_FIXED = 1 / 2.2
_CLIP_LIMIT, _GRID = 2.0, (8, 8)


def identity(photo: Photo) -> Photo:
    """The dark photo as it is."""
    return photo


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


def equalise(photo: Photo) -> Photo:
    """Histogram equalisation of HSV's value, in 256 levels; hue and saturation stay.

    Hall, "Almost uniform distributions for computer image enhancement", 1974.
    """
    return _on_value(photo, cv2.equalizeHist)


def clahe(photo: Photo) -> Photo:
    """Contrast-limited adaptive histogram equalisation of HSV's value: 8×8 tiles, limit 2.

    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    return _on_value(photo, cv2.createCLAHE(_CLIP_LIMIT, _GRID).apply)


def _on_value(photo: Photo, change: Callable[[NDArray[np.uint8]], Any]) -> Photo:
    # Both are defined on the histogram of 256 levels, so a deeper photo gets no more of them.
    values = from_float(to_float(photo.pixels), np.dtype(np.uint8))
    before = np.ascontiguousarray(values.max(axis=2))
    gain = np.asarray(change(before), np.float32) / np.maximum(before, 1)
    result = np.asarray(to_float(values) * gain[..., None], np.float32)
    return photo.with_pixels(from_float(result, photo.pixels.dtype))


BASELINES: Final[Mapping[str, Callable[[Photo], Photo]]] = {
    "identity": identity,
    "gamma 1/2.2": fixed_gamma,
    "automatic gamma": automatic_gamma,
    "histogram equalisation": equalise,
    "CLAHE": clahe,
    "LIME": lime,
    "MSRCR": msrcr,
}
"""The baselines by name."""
