"""Enlarging a part of a small image exactly as the whole of it would be enlarged.

Shrinking a whole photo is :func:`undark.photo.area_resize`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from undark.pixels.arrays import as_floats

__all__ = ["upsample_rows"]


def upsample_rows(
    small: NDArray[np.float32], height: int, width: int, top: int, bottom: int
) -> NDArray[np.float32]:
    """Rows `top` to `bottom` of `small` enlarged bilinearly to height×width.

    The same as those rows of the whole enlarged, so bands meet without a seam.

    Args:
        small: h×w×C float32.
        height: Rows of the whole enlarged image.
        width: Columns of it.
        top: First row wanted.
        bottom: First row not wanted.
    """
    rows = small.shape[0]
    at = (np.arange(top, bottom, dtype=np.float64) + 0.5) * rows / height - 0.5
    at = np.clip(at, 0.0, rows - 1.0)
    above = np.minimum(at.astype(np.intp), max(rows - 2, 0))
    fraction = (at - above).astype(np.float32)[:, None, None]
    below = np.minimum(above + 1, rows - 1)
    tall = small[above] * (1.0 - fraction) + small[below] * fraction
    wide = as_floats(cv2.resize(tall, (width, bottom - top), interpolation=cv2.INTER_LINEAR))
    return wide.reshape(bottom - top, width, small.shape[2])
