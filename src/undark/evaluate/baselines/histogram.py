"""Histogram equalisation, of the whole photo and of its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.photo import Photo, from_float, to_float

__all__ = ["clahe", "equalise"]

_CLIP_LIMIT, _GRID = 2.0, (8, 8)


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
